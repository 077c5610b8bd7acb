#include "runtime/base/output_folder.h"

#include "runtime/base/digest.h"
#include "runtime/base/durable_stream.h"
#include "runtime/base/error.h"
#include "runtime/base/output_path.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace autotp {
namespace {

/// Writes to a file, and computes the digest of the written bytes.
class DigestingStream : public llvm::raw_ostream {
public:
  explicit DigestingStream(llvm::raw_ostream &os) : os_(os) {}
  ~DigestingStream() override { flush(); }
  std::string digest() {
    flush();
    return digest_.text();
  }

private:
  void write_impl(const char *data, size_t size) override {
    constexpr size_t kAtATime = size_t(1) << 18; // what was just read is still in the cache when it is written
    for (size_t at = 0; at < size; at += kAtATime) {
      const llvm::StringRef piece(data + at, std::min(kAtATime, size - at));
      digest_.add(piece);
      os_.write(piece.data(), piece.size());
    }
  }
  uint64_t current_pos() const override { return os_.tell(); }

  llvm::raw_ostream &os_;
  Digest digest_;
};

/// Has the entries of a folder reach the disk. Some file systems cannot, and then do it by themselves.
void makeDurable(llvm::StringRef folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.str().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)fsync(descriptor);
  (void)::close(descriptor);
}

/// Whether a rename of a folder failed since something is there. It replaces only an empty folder, so it never loses
/// anything.
bool isTaken(int errorNumber) { return errorNumber == ENOTEMPTY || errorNumber == EEXIST; }

} // namespace

int exchangeFolders(const char *a, const char *b) { return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE); }

llvm::Expected<std::string> writeNewFile(const std::string &file, llvm::StringRef shown, bool isDurable,
                                         llvm::function_ref<void(llvm::raw_ostream &)> contents) {
  if (isDurable) {
    DurableStream os(file);
    if (os.errorNumber() == 0) contents(os);
    const std::string digest = os.finish();
    if (os.errorNumber() != 0) return cannotBeWritten(shown, os.errorNumber());
    return digest;
  }
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return cannotBeWritten(shown, errno);
  llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
  std::string digest;
  {
    DigestingStream digesting(os);
    contents(digesting);
    digest = digesting.digest();
  }
  os.flush();
  os.close();
  const int errorNumber = os.has_error() ? os.error().value() : 0;
  os.clear_error(); // it would end the process otherwise
  if (errorNumber) return cannotBeWritten(shown, errorNumber);
  return digest;
}

llvm::Expected<std::unique_ptr<OutputFolder>> OutputFolder::open(llvm::StringRef path, Options options) {
  llvm::StringRef trimmed = path.rtrim('/'), name = llvm::sys::path::filename(trimmed);
  if (trimmed.empty() || name == "." || name == "..")
    return problem("'" + escaped(path) + "'", "it names no folder that could be put in its place as a whole",
                   "name a folder, from outside it");
  std::unique_ptr<OutputFolder> folder(new OutputFolder(trimmed, std::move(options)));
  if (llvm::Error error = checkParent(trimmed)) return error;
  if (llvm::Error error = folder->examine()) return error;
  return folder;
}

llvm::Error OutputFolder::examine() {
  llvm::Expected<PathKind> kind = pathKind(path_);
  if (!kind) return kind.takeError();
  if (*kind == PathKind::Absent) {
    standing_ = {};
    return llvm::Error::success();
  }
  if (*kind != PathKind::Folder)
    return problem(escaped(path_), ("it is " + nameOf(*kind) + ", which no folder replaces").str(),
                   "name another folder");
  if (encloses(path_, "."))
    return problem(escaped(path_), "this command runs in that folder, which cannot be replaced",
                   "run it from outside, or name another folder");
  for (const std::string &input : options_.inputs)
    if (encloses(path_, input))
      return problem(escaped(path_), "it holds '" + escaped(input) + "', which is read", "name another folder");
  llvm::Expected<FolderContents> contents = examineFolder(path_);
  if (!contents) return contents.takeError();
  standing_ = std::move(*contents);
  if (standing_.isEmpty() || standing_.isOurs() || options_.force) return llvm::Error::success();
  return problem(escaped(path_), "it exists, and holds what this command did not write: " + standing_.foreignNames(),
                 "name another folder, or give --force: it is then moved aside, and nothing is deleted");
}

llvm::Expected<std::string> OutputFolder::temporary() {
  if (!temporary_.empty()) return temporary_;
  llvm::Expected<std::string> made =
      makeBeside(path_, "autotp", [](const char *name) { return mkdir(name, 0777) == 0; });
  if (!made) return made.takeError();
  return temporary_ = std::move(*made);
}

OutputFolder::~OutputFolder() {
  if (temporary_.empty()) return;
  for (const auto &[name, digest] : digests_)
    (void)unlink((temporary_ + "/" + name).c_str());
  for (const auto &[name, digest] : digests_)
    if (llvm::StringRef inner = llvm::sys::path::parent_path(name); !inner.empty())
      (void)rmdir((temporary_ + "/" + inner.str()).c_str());
  (void)rmdir(temporary_.c_str());
}

llvm::Expected<std::string> OutputFolder::write(llvm::StringRef name,
                                                llvm::function_ref<void(llvm::raw_ostream &)> contents) {
  llvm::Expected<std::string> folder = temporary();
  if (!folder) return folder.takeError();
  const std::string shown = path_ + "/" + name.str();
  if (llvm::StringRef inner = llvm::sys::path::parent_path(name); !inner.empty())
    if (mkdir((*folder + "/" + inner.str()).c_str(), 0777) != 0 && errno != EEXIST)
      return cannotBeWritten(shown, errno);
  list(name, ""); // so that it is deleted even if it cannot be written whole
  llvm::Expected<std::string> digest = writeNewFile(*folder + "/" + name.str(), shown, options_.isDurable, contents);
  if (digest) list(name, *digest);
  return digest;
}

llvm::Expected<std::string> OutputFolder::commit() {
  const std::string listing = listingText(digests_);
  if (llvm::Expected<std::string> digest = write(kListingName, [&](llvm::raw_ostream &os) { os << listing; }); !digest)
    return digest.takeError();
  if (options_.isDurable) makeDurable(temporary_);
  std::vector<std::string> paths;
  for (const auto &[path, digest] : digests_)
    paths.push_back(path);
  written_ = contentsOfWritten(temporary_, paths);
  constexpr int kAttempts = 1000; // each one is lost to another process that was faster
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    llvm::Expected<bool> isDone = tryCommit();
    if (!isDone) return isDone.takeError();
    if (!*isDone) continue;
    if (options_.isDurable) makeDurable(llvm::sys::path::parent_path(path_));
    return movedTo_;
  }
  return problem(escaped(path_), "others write to it again and again", "name another folder");
}

/// Returns false if something else lies there than what was examined.
llvm::Expected<bool> OutputFolder::tryCommit() {
  llvm::Expected<PathKind> kind = pathKind(path_);
  if (!kind) return kind.takeError();
  if (*kind != PathKind::Folder || !standing_.isOurs() || !isUnchanged(path_, standing_))
    if (llvm::Error error = examine()) return error;
  if (!standing_.isEmpty()) return swap();
  if (rename(temporary_.c_str(), path_.c_str()) == 0) {
    temporary_.clear();
    return true;
  }
  if (isTaken(errno)) return false;
  return cannotBeWritten(path_, errno);
}

llvm::Expected<bool> OutputFolder::swap() {
  if (options_.exchange(temporary_.c_str(), path_.c_str()) == 0) {
    const std::string aside = std::move(temporary_);
    temporary_.clear();
    if (llvm::Error error = dispose(aside)) return error;
    return true;
  }
  if (errno == ENOENT) return false;
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return cannotBeWritten(path_, errno);
  return swapByTwoRenames();
}

/// For file systems that cannot exchange (NFS). Between the two renames nothing has the name, but both folders are
/// whole.
llvm::Expected<bool> OutputFolder::swapByTwoRenames() {
  bool isGone = false;
  llvm::Expected<std::string> aside = makeBeside(path_, "old", [&](const char *name) {
    const bool isMoved = rename(path_.c_str(), name) == 0;
    isGone = !isMoved && errno == ENOENT;
    return isMoved;
  });
  if (!aside && isGone) {
    llvm::consumeError(aside.takeError()); // another process is between its own two renames
    return false;
  }
  if (!aside) return aside.takeError();
  const bool isDone = rename(temporary_.c_str(), path_.c_str()) == 0;
  if (!isDone && !isTaken(errno)) {
    const int errorNumber = errno;
    (void)rename(aside->c_str(), path_.c_str());
    return cannotBeWritten(path_, errorNumber);
  }
  if (isDone) temporary_.clear();
  if (llvm::Error error = dispose(*aside)) return error;
  return isDone;
}

/// Deletes what had the name and now lies at `aside` if it is ours; otherwise keeps it.
llvm::Error OutputFolder::dispose(const std::string &aside) {
  if (!isUnchanged(aside, standing_)) { // another process has put it there in the last instant
    llvm::Expected<PathKind> kind = pathKind(aside);
    if (!kind) return kind.takeError();
    standing_ = {};
    if (*kind == PathKind::Folder) {
      llvm::Expected<FolderContents> contents = examineFolder(aside);
      if (!contents) return contents.takeError();
      standing_ = std::move(*contents);
    }
  }
  if (standing_.isOurs() && deleteOurs(aside, standing_)) return llvm::Error::success();
  if (standing_.isEmpty() && rmdir(aside.c_str()) == 0) return llvm::Error::success();
  llvm::Expected<std::string> kept =
      makeBeside(path_, "old", [&](const char *name) { return rename(aside.c_str(), name) == 0; });
  if (!kept) return kept.takeError();
  movedTo_ = std::move(*kept);
  return llvm::Error::success();
}

} // namespace autotp
