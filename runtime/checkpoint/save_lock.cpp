#include "runtime/checkpoint/save_lock.h"

#include "runtime/base/error.h"
#include "runtime/base/output_path.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace autotp {
namespace {

constexpr size_t kMostText = 400;

std::string ownText() {
  char host[256] = {};
  (void)gethostname(host, sizeof host - 1);
  return llvm::formatv("process {0} on {1}", getpid(), host).str();
}

/// What the run that has the lock has written of itself.
std::string textOf(int descriptor) {
  char text[kMostText];
  const ssize_t bytes = pread(descriptor, text, sizeof text, 0);
  return bytes > 0 ? escaped({text, size_t(bytes)}) : "a process that has just begun";
}

} // namespace

llvm::Expected<std::unique_ptr<SaveLock>> SaveLock::take(llvm::StringRef folder) {
  const std::string path = (folder + "/.autotp-lock").str();
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (descriptor < 0) return cannotBeWritten(path, errno);
  std::unique_ptr<SaveLock> lock(new SaveLock(descriptor));
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
    return problem(escaped(path), "it is no regular file", "move it away, or name another folder");
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return problem("--save " + escaped(folder), "another run saves there: " + textOf(descriptor),
                     "wait until it has ended, or name another folder");
    lock->note_ = "the file system of " + folder.str() + " has no locks: let no other run save there";
  }
  const std::string text = ownText();
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, text.data(), text.size(), 0) != ssize_t(text.size()))
    return cannotBeWritten(path, errno);
  return lock;
}

SaveLock::~SaveLock() { (void)::close(descriptor_); }

} // namespace autotp
