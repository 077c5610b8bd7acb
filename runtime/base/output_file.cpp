#include "runtime/base/output_file.h"

#include "runtime/base/error.h"
#include "runtime/base/output_path.h"

#include "llvm/Support/FileSystem.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace autotp {

llvm::Error checkOutputFile(llvm::StringRef path, Replaces replaces) {
  if (path.empty() || path.endswith("/"))
    return problem("'" + escaped(path) + "'", "it names no file to write to", "name a file");
  llvm::Expected<PathKind> kind = pathKind(path);
  if (!kind) return kind.takeError();
  if (*kind == PathKind::Absent) return checkParent(path);
  if (*kind != PathKind::File)
    return problem(escaped(path), ("it is " + nameOf(*kind) + ", which no output replaces").str(), "name another file");
  if (replaces == Replaces::Nothing)
    return problem(escaped(path), "it exists, and it is not the file that was named",
                   "remove it, or name another file");
  if (access(path.str().c_str(), W_OK) != 0) return cannotBeWritten(path, errno);
  return checkParent(path);
}

llvm::Error checkIsNotRead(llvm::StringRef path, llvm::ArrayRef<std::string> inputs) {
  llvm::sys::fs::UniqueID own, read;
  if (llvm::sys::fs::getUniqueID(path, own)) return llvm::Error::success();
  for (const std::string &input : inputs)
    if (!llvm::sys::fs::getUniqueID(input, read) && own == read)
      return problem(escaped(path), "it is read, and would be replaced", "name another file");
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<OutputFile>> OutputFile::create(llvm::StringRef path, Replaces replaces) {
  std::unique_ptr<OutputFile> file(new OutputFile(path, replaces));
  if (llvm::Error error = file->open()) return error;
  return file;
}

OutputFile::~OutputFile() {
  if (stream_) llvm::consumeError(close()); // another error has been reported already
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

llvm::Error OutputFile::open() {
  if (llvm::Error error = checkOutputFile(path_, replaces_)) return error;
  int descriptor = -1;
  llvm::Expected<std::string> made = makeBeside(path_, "autotp", [&](const char *name) {
    descriptor = ::open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return descriptor >= 0;
  });
  if (!made) return made.takeError();
  temporary_ = std::move(*made);
  struct stat before;
  // Like the file that it replaces.
  if (stat(path_.c_str(), &before) == 0) (void)fchmod(descriptor, before.st_mode & 0777);
  stream_ = std::make_unique<llvm::raw_fd_ostream>(descriptor, /*shouldClose=*/true);
  return llvm::Error::success();
}

llvm::Error OutputFile::close() {
  stream_->close();
  std::error_code code = stream_->error();
  stream_->clear_error();
  stream_.reset();
  return code ? cannotBeWritten(path_, code.value()) : llvm::Error::success();
}

llvm::Error OutputFile::giveName() {
  // What was put there since create() is protected just like what was there then.
  if (llvm::Error error = checkOutputFile(path_, replaces_)) return error;
  const bool mayReplace = replaces_ == Replaces::RegularFiles && access(path_.c_str(), F_OK) == 0;
  int failed = mayReplace ? rename(temporary_.c_str(), path_.c_str())
                          : renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
  if (failed && !mayReplace && (errno == EINVAL || errno == ENOSYS)) { // the file system does not have that flag
    failed = link(temporary_.c_str(), path_.c_str());
    if (!failed) unlink(temporary_.c_str());
  }
  if (failed) return cannotBeWritten(path_, errno);
  temporary_.clear();
  return llvm::Error::success();
}

llvm::Error OutputFile::commit() {
  if (stream_)
    if (llvm::Error error = close()) return error;
  return giveName();
}

namespace {

/// A duplicate of standard output or error if `status` is theirs, since writes through a second opening would overlap.
int ownDescriptor(const struct stat &status) {
  for (int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat own;
    if (fstat(descriptor, &own) == 0 && own.st_dev == status.st_dev && own.st_ino == status.st_ino)
      return fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  }
  return -1;
}

/// Opens a FIFO or a character device, also through a link. Returns -1 if the path is neither.
llvm::Expected<int> openSink(const std::string &path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) return -1;
  if (int own = ownDescriptor(status); own >= 0) return own;
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return -1;
  int descriptor = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0 && errno == ENXIO)
    return problem(escaped(path), "it is a FIFO that nobody reads", "start what reads it first");
  if (descriptor < 0) return cannotBeWritten(path, errno);
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK); // so that writes wait for a slow reader
  return descriptor;
}

} // namespace

llvm::Expected<std::unique_ptr<llvm::raw_fd_ostream>> openStreamed(llvm::StringRef path, bool isAppended) {
  llvm::Expected<PathKind> kind = pathKind(path);
  if (!kind) return kind.takeError();
  if (*kind != PathKind::Absent && *kind != PathKind::File) {
    llvm::Expected<int> descriptor = openSink(path.str());
    if (!descriptor) return descriptor.takeError();
    if (*descriptor >= 0) return std::make_unique<llvm::raw_fd_ostream>(*descriptor, /*shouldClose=*/true);
  }
  if (*kind == PathKind::File && isAppended) {
    const int descriptor = open(path.str().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (descriptor < 0) return cannotBeWritten(path, errno);
    return std::make_unique<llvm::raw_fd_ostream>(descriptor, /*shouldClose=*/true);
  }
  llvm::Expected<std::unique_ptr<OutputFile>> file = OutputFile::create(path);
  if (!file) return file.takeError();
  if (llvm::Error error = (*file)->giveName()) return error;
  return std::move((*file)->stream_);
}

llvm::Error flushed(llvm::raw_fd_ostream &os, llvm::StringRef name) {
  os.flush();
  if (!os.has_error()) return llvm::Error::success();
  const int errorNumber = os.error().value();
  os.clear_error();
  return cannotBeWritten(name, errorNumber);
}

} // namespace autotp
