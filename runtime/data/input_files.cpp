#include "runtime/data/input_files.h"

#include "runtime/base/error.h"

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

} // namespace autotp
