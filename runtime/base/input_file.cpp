#include "runtime/base/input_file.h"

#include "runtime/base/error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace autotp {
namespace {

llvm::Error checkIsRegular(llvm::StringRef where, const struct stat &status) {
  if (S_ISDIR(status.st_mode)) return problem(where, "it is a folder", "name the files in it");
  if (!S_ISREG(status.st_mode))
    return problem(where, "it is no regular file, so it cannot be mapped", "copy what it gives into a file");
  return llvm::Error::success();
}

} // namespace

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> mapFile(llvm::StringRef where, llvm::StringRef path,
                                                            llvm::StringRef remedy) {
  auto failed = [&](const std::string &why) { return problem(where, "it cannot be read: " + why, remedy); };
  if (path.contains('\0')) return failed("its name holds a NUL");
  const std::string name = path.str();
  struct stat status;
  if (stat(name.c_str(), &status) != 0) return failed(std::strerror(errno));
  if (llvm::Error error = checkIsRegular(where, status)) return error;
  // Another file may have taken its place since: without O_NONBLOCK, a FIFO would wait for somebody who writes.
  const int descriptor = open(name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return failed(std::strerror(errno));
  llvm::Error error = fstat(descriptor, &status) != 0 ? failed(std::strerror(errno)) : checkIsRegular(where, status);
  auto file = llvm::MemoryBuffer::getOpenFile(descriptor, name, uint64_t(status.st_size),
                                              /*RequiresNullTerminator=*/false);
  (void)close(descriptor);
  if (error) return error;
  if (!file) return failed(file.getError().message());
  return std::move(*file);
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> mapFile(llvm::StringRef path) {
  return mapFile(escaped(path), path);
}

} // namespace autotp
