/// \file Files that commands write. No link, FIFO, device or folder is ever replaced; a regular file that the user named
/// is, by rename, once its successor is whole.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace autotp {

/// `Nothing` is for names that the user did not give.
enum class Replaces { RegularFiles, Nothing };

/// Said before any work: something stands under `path` that is not replaced, or its folder takes no file.
llvm::Error checkOutputFile(llvm::StringRef path, Replaces replaces = Replaces::RegularFiles);

/// Errors: `path` is one of `inputs`, whatever it is called.
llvm::Error checkIsNotRead(llvm::StringRef path, llvm::ArrayRef<std::string> inputs);

/// A file that has its name only once it is whole. Until then it lies beside it under a fresh name; without commit() it
/// is taken away, and where the process is killed it stays there, in nobody's way.
class OutputFile {
public:
  static llvm::Expected<std::unique_ptr<OutputFile>> create(llvm::StringRef path,
                                                            Replaces replaces = Replaces::RegularFiles);
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;
  ~OutputFile();

  llvm::raw_fd_ostream &stream() { return *stream_; }
  /// Ends writing: a full disk is said here at the latest.
  llvm::Error close();
  /// Closes it where that is to be done, and gives it its name.
  llvm::Error commit();

private:
  friend llvm::Expected<std::unique_ptr<llvm::raw_fd_ostream>> openStreamed(llvm::StringRef path);
  OutputFile(llvm::StringRef path, Replaces replaces) : path_(path.str()), replaces_(replaces) {}
  llvm::Error open();
  llvm::Error giveName();

  std::string path_, temporary_; ///< `temporary_` is empty where it has its name
  Replaces replaces_;
  std::unique_ptr<llvm::raw_fd_ostream> stream_;
};

/// Output that is read while it grows: a new file that has its name at once, or what is made to be written to: a FIFO
/// that somebody reads, a terminal, /dev/null, /dev/stdout, /dev/fd/N.
llvm::Expected<std::unique_ptr<llvm::raw_fd_ostream>> openStreamed(llvm::StringRef path);

/// Writes what is buffered; the error is then this function's alone: LLVM's streams would abort the process for it.
llvm::Error flushed(llvm::raw_fd_ostream &os, llvm::StringRef name);

} // namespace autotp
