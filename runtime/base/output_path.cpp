#include "runtime/base/output_path.h"

#include "runtime/base/error.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace autotp {

namespace fs = llvm::sys::fs;
namespace path_ = llvm::sys::path;

llvm::Expected<PathKind> pathKind(llvm::StringRef path) {
  struct stat status;
  if (lstat(path.str().c_str(), &status) != 0) {
    if (errno == ENOENT) return PathKind::Absent;
    return problem(escaped(path), std::string("it cannot be looked up: ") + std::strerror(errno));
  }
  if (S_ISREG(status.st_mode)) return PathKind::File;
  if (S_ISDIR(status.st_mode)) return PathKind::Folder;
  if (S_ISLNK(status.st_mode)) return PathKind::Link;
  if (S_ISFIFO(status.st_mode)) return PathKind::Fifo;
  return S_ISSOCK(status.st_mode) ? PathKind::Socket : PathKind::Device;
}

llvm::StringRef nameOf(PathKind kind) {
  constexpr const char *kNames[] = {"nothing", "a file",   "a folder", "a symbolic link",
                                    "a FIFO",  "a device", "a socket"};
  return kNames[int(kind)];
}

llvm::Expected<bool> isFolder(llvm::StringRef flag, llvm::StringRef path) {
  llvm::Expected<PathKind> kind = pathKind(path);
  if (!kind) return kind.takeError();
  if (*kind == PathKind::Absent) return false;
  if (fs::is_directory(path)) return true;
  return problem((flag + " " + escaped(path)).str(), ("it is " + nameOf(*kind) + ", not a folder").str(),
                 "name a folder");
}

llvm::Error checkParent(llvm::StringRef path) {
  llvm::StringRef parent = path_::parent_path(path);
  if (parent.empty()) parent = ".";
  fs::file_status status;
  if (fs::status(parent, status) || status.type() != fs::file_type::directory_file)
    return problem(escaped(path), ("it cannot be written: there is no folder '" + escaped(parent) + "'"),
                   "make that folder first");
  if (std::error_code code = fs::access(parent, fs::AccessMode::Write))
    return problem(escaped(path), "it cannot be written into that folder: " + code.message());
  return llvm::Error::success();
}

llvm::Expected<std::string> makeBeside(llvm::StringRef path, llvm::StringRef word,
                                       llvm::function_ref<bool(const char *name)> make) {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    uint8_t token[8];
    if (getentropy(token, sizeof token) != 0) break;
    std::string name = (path + "." + word + "-" + llvm::toHex(llvm::makeArrayRef(token), /*LowerCase=*/true)).str();
    if (make(name.c_str())) return name;
    if (errno != EEXIST) break;
  }
  return cannotBeWritten(path, errno);
}

bool encloses(llvm::StringRef outer, llvm::StringRef inner) {
  fs::UniqueID wanted;
  if (fs::getUniqueID(outer, wanted)) return false;
  llvm::StringRef parent = path_::parent_path(inner);
  for (llvm::StringRef start : {inner, parent.empty() ? llvm::StringRef(".") : parent}) {
    llvm::SmallString<256> real;
    if (fs::real_path(start, real)) continue;
    for (llvm::StringRef at = real; !at.empty(); at = path_::parent_path(at)) {
      fs::UniqueID id;
      if (!fs::getUniqueID(at, id) && id == wanted) return true;
    }
  }
  return false;
}

llvm::Error cannotBeWritten(llvm::StringRef path, int errorNumber) {
  return problem(escaped(path), std::string("it cannot be written: ") + std::strerror(errorNumber));
}

} // namespace autotp
