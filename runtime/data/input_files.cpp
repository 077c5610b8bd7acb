#include "runtime/data/input_files.h"

#include "runtime/base/error.h"

#include <cerrno>
#include <cstring>
#include <glob.h>
#include <sys/stat.h>

namespace autotp {

llvm::Expected<std::vector<std::string>> filesOf(llvm::StringRef where, const std::string &pattern) {
  struct stat status;
  if (stat(pattern.c_str(), &status) == 0 || pattern.find_first_of("*?[") == std::string::npos)
    return std::vector<std::string>{pattern};
  glob_t found{};
  const int failure = glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + (failure == 0 ? found.gl_pathc : 0));
  globfree(&found);
  if (paths.empty()) return problem(where, "no file matches '" + escaped(pattern) + "'", "name files that exist");
  return paths;
}

llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> mapFile(llvm::StringRef where, const std::string &path,
                                                            llvm::StringRef remedy) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0)
    return problem(where, std::string("it cannot be read: ") + std::strerror(errno), remedy);
  if (S_ISDIR(status.st_mode)) return problem(where, "it is a folder", "name the files in it, for example by FOLDER/*");
  if (!S_ISREG(status.st_mode)) return problem(where, "it is no regular file, so it cannot be mapped", "give a file");
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file) return problem(where, "it cannot be read: " + file.getError().message(), remedy);
  return std::shared_ptr<llvm::MemoryBuffer>(std::move(*file));
}

} // namespace autotp
