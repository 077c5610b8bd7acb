#include "runtime/base/folder_listing.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <unistd.h>

namespace autotp {
namespace {

namespace fs = llvm::sys::fs;

constexpr llvm::StringLiteral kFirstLine = "# written by autotp: this folder holds these files and no others\n",
                              kLastLine = "# digest of the lines above: ";

bool isDigest(llvm::StringRef text) { return text.size() == kDigestDigits && llvm::all_of(text, llvm::isHexDigit); }

/// Whether a path such as "programs/0000.plan" lies within the folder, without detours.
bool isPathWithin(llvm::StringRef path) {
  llvm::SmallVector<llvm::StringRef, 4> parts;
  path.split(parts, '/');
  return llvm::none_of(parts, [](llvm::StringRef part) { return part.empty() || part == "." || part == ".."; });
}

/// The digests of a list that is whole, by path; empty if it is not.
std::map<std::string, std::string> parseListing(llvm::StringRef text) {
  const size_t end = text.rfind(kLastLine);
  if (end == llvm::StringRef::npos || !text.startswith(kFirstLine)) return {};
  if (text.drop_front(end + kLastLine.size()).rtrim('\n') != digestOf(text.take_front(end))) return {};
  llvm::SmallVector<llvm::StringRef> lines;
  text.take_front(end).drop_front(kFirstLine.size()).split(lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  std::map<std::string, std::string> digests;
  for (llvm::StringRef line : lines) {
    auto [digest, path] = line.split("  ");
    if (!isDigest(digest) || !isPathWithin(path)) return {};
    digests[path.str()] = digest.str();
  }
  return digests;
}

std::string pathIn(const std::string &folder, const std::string &path) {
  return path.empty() ? folder : folder + "/" + path;
}

llvm::Error cannotBeRead(const std::string &folder, const std::string &why) {
  return problem(escaped(folder), "it cannot be read: " + why);
}

bool isRegular(const std::string &path, struct stat &status) {
  return lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

/// The contents of a file; null if it cannot be read.
std::unique_ptr<llvm::MemoryBuffer> contentsOf(const std::string &path) {
  auto buffer = mapFile(path);
  if (buffer) return std::move(*buffer);
  llvm::consumeError(buffer.takeError());
  return nullptr;
}

/// The list of a folder; null if it has none.
std::unique_ptr<llvm::MemoryBuffer> listOf(const std::string &folder) {
  struct stat status;
  const std::string path = folder + "/" + kListingName;
  return isRegular(path, status) ? contentsOf(path) : nullptr;
}

class Examination {
public:
  explicit Examination(std::string root) : root_(std::move(root)) {
    const auto text = listOf(root_);
    if (!text) return;
    digests_ = parseListing(text->getBuffer());
    if (digests_.empty()) return;
    digests_[kListingName] = digestOf(text->getBuffer());
    for (const auto &[listed, digest] : digests_)
      for (llvm::StringRef at = llvm::sys::path::parent_path(listed); !at.empty();
           at = llvm::sys::path::parent_path(at))
        folders_.insert(at.str());
  }

  /// `within` is empty, or a folder of the list.
  llvm::Error examine(const std::string &within) {
    const std::string folder = pathIn(root_, within);
    struct stat status; // taken before its entries are read, so that a later change shows
    if (lstat(folder.c_str(), &status) != 0) return cannotBeRead(folder, std::strerror(errno));
    std::error_code code;
    std::vector<std::string> names;
    for (fs::directory_iterator at(folder, code, /*follow_symlinks=*/false), end; !code && at != end;
         at.increment(code))
      names.push_back(llvm::sys::path::filename(at->path()).str());
    if (code) return cannotBeRead(folder, code.message());
    llvm::sort(names);
    const std::string prefix = within.empty() ? "" : within + "/";
    for (const std::string &name : names)
      if (llvm::Error error = examineEntry(prefix + name)) return error;
    contents.folders.push_back({within, status});
    return llvm::Error::success();
  }

  FolderContents contents;

private:
  llvm::Error examineEntry(const std::string &path) {
    struct stat status;
    const std::string whole = root_ + "/" + path;
    if (folders_.count(path) && lstat(whole.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return examine(path);
    const auto listed = digests_.find(path);
    if (listed == digests_.end() || !isRegular(whole, status)) {
      contents.foreign.push_back("'" + escaped(path) + "'");
      return llvm::Error::success();
    }
    const auto bytes = contentsOf(whole);
    if (bytes && digestOf(bytes->getBuffer()) == listed->second)
      contents.files.push_back({path, status});
    else
      contents.foreign.push_back("'" + escaped(path) + "' (changed since)");
    return llvm::Error::success();
  }

  std::string root_;
  /// By path, with the list itself; empty if the folder has no list of ours.
  std::map<std::string, std::string> digests_;
  std::set<std::string> folders_; ///< folders of the listed files
};

bool isSame(const struct timespec &a, const struct timespec &b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/// Compares the size and the times of a file's contents and name; of a folder only those of its entries, since it may have been
/// renamed.
bool isUnchanged(const std::string &folder, const FolderContents::Entry &entry) {
  struct stat now;
  const struct stat &then = entry.status;
  return lstat(pathIn(folder, entry.path).c_str(), &now) == 0 && now.st_dev == then.st_dev &&
         now.st_ino == then.st_ino && isSame(now.st_mtim, then.st_mtim) &&
         (S_ISDIR(now.st_mode) || (now.st_size == then.st_size && isSame(now.st_ctim, then.st_ctim)));
}

} // namespace

std::string listingText(const std::map<std::string, std::string> &digests) {
  std::string text = kFirstLine.str();
  for (const auto &[path, digest] : digests)
    text.append(digest).append("  ").append(path).append("\n");
  return text + kLastLine.str() + digestOf(text) + "\n";
}

std::map<std::string, std::string> listedDigests(const std::string &folder) {
  const auto text = listOf(folder);
  return text ? parseListing(text->getBuffer()) : std::map<std::string, std::string>();
}

std::string FolderContents::foreignNames() const {
  constexpr size_t kShown = 5;
  std::string text = llvm::join(llvm::makeArrayRef(foreign).take_front(kShown), ", ");
  return foreign.size() > kShown ? text + " and " + std::to_string(foreign.size() - kShown) + " more" : text;
}

llvm::Expected<FolderContents> examineFolder(const std::string &folder) {
  // If another process puts its own folder there meanwhile, the entries read belong to neither. While the descriptor is
  // open, no other folder can get the same identity, so a change is noticed.
  constexpr int kAttempts = 100;
  for (int attempt = 1;; ++attempt) {
    const int descriptor = open(folder.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) return FolderContents();
    if (descriptor < 0)
      return cannotBeRead(folder, std::strerror(errno)); // a link, say, behind which others' files lie
    auto closing = llvm::make_scope_exit([&] { close(descriptor); });
    Examination examination(folder);
    llvm::Error error = examination.examine("");
    struct stat before, after;
    const bool isOne = fstat(descriptor, &before) == 0 && lstat(folder.c_str(), &after) == 0 &&
                       before.st_dev == after.st_dev && before.st_ino == after.st_ino;
    if (!isOne && attempt < kAttempts) {
      llvm::consumeError(std::move(error)); // it belongs to a folder that is gone
      continue;
    }
    if (error) return error;
    return std::move(examination.contents);
  }
}

FolderContents contentsOfWritten(const std::string &folder, llvm::ArrayRef<std::string> paths) {
  FolderContents contents;
  std::set<std::string> folders = {""};
  struct stat status;
  for (const std::string &path : paths) {
    if (!isRegular(pathIn(folder, path), status)) return {};
    contents.files.push_back({path, status});
    for (llvm::StringRef at = llvm::sys::path::parent_path(path); !at.empty(); at = llvm::sys::path::parent_path(at))
      folders.insert(at.str());
  }
  for (const std::string &inner : llvm::reverse(folders)) { // what lies within another one comes before it
    if (lstat(pathIn(folder, inner).c_str(), &status) != 0) return {};
    contents.folders.push_back({inner, status});
  }
  return contents;
}

bool isUnchanged(const std::string &folder, const FolderContents &contents) {
  auto isSame = [&](const FolderContents::Entry &entry) { return isUnchanged(folder, entry); };
  return llvm::all_of(contents.files, isSame) && llvm::all_of(contents.folders, isSame);
}

bool deleteOurs(const std::string &folder, const FolderContents &contents) {
  for (const FolderContents::Entry &file : contents.files)
    if (file.path != kListingName) (void)unlink(pathIn(folder, file.path).c_str());
  bool isGone = false;
  for (const FolderContents::Entry &inner : contents.folders) {
    // last, so that the rest is still recognised if the process is killed
    if (inner.path.empty()) (void)unlink(pathIn(folder, kListingName).c_str());
    isGone = rmdir(pathIn(folder, inner.path).c_str()) == 0;
  }
  return isGone; // the last one is the folder itself
}

} // namespace autotp
