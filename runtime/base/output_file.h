/// \file Files that commands write. No link, FIFO, device or folder is ever replaced. A regular file that the user
/// named is replaced, by a rename, once the new one is whole.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace autotp {

/// `Nothing` is for names that the user did not give.
enum class Replaces { RegularFiles, Nothing };

/// Checks a path before any work. Errors: `path` is something that is not replaced, or no file can be made in its
/// folder.
llvm::Error checkOutputFile(llvm::StringRef path, Replaces replaces = Replaces::RegularFiles);

/// Errors: `path` is one of `inputs`, under whatever name.
llvm::Error checkIsNotRead(llvm::StringRef path, llvm::ArrayRef<std::string> inputs);

/// A file that gets its name only once it is whole. Until then it lies beside that place under a fresh name. It is
/// deleted without commit(); if the process is killed, it stays there and disturbs no one.
class OutputFile {
public:
  /// Opens the file under a fresh name. Errors: those of checkOutputFile, or it cannot be made.
  static llvm::Expected<std::unique_ptr<OutputFile>> create(llvm::StringRef path,
                                                            Replaces replaces = Replaces::RegularFiles);
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;
  ~OutputFile();

  llvm::raw_fd_ostream &stream() { return *stream_; }
  /// Ends writing. A full disk is reported here at the latest.
  llvm::Error close();
  /// Closes the file if it is open, and gives it its name.
  llvm::Error commit();

private:
  friend llvm::Expected<std::unique_ptr<llvm::raw_fd_ostream>> openStreamed(llvm::StringRef path, bool isAppended);
  OutputFile(llvm::StringRef path, Replaces replaces) : path_(path.str()), replaces_(replaces) {}
  llvm::Error open();
  llvm::Error giveName();

  std::string path_, temporary_; ///< `temporary_` is empty once the file has its name
  Replaces replaces_;
  std::unique_ptr<llvm::raw_fd_ostream> stream_;
};

/// Opens output that is read while it grows: a new file that has its name at once, or something that is made to be
/// written to: a FIFO with a reader, a terminal, /dev/null, /dev/stdout, /dev/fd/N. If `isAppended`, what is written comes
/// behind what a file holds already.
llvm::Expected<std::unique_ptr<llvm::raw_fd_ostream>> openStreamed(llvm::StringRef path, bool isAppended = false);

/// Writes the buffer of `os`. The error is then returned here only, since LLVM's streams would abort the process for
/// it.
llvm::Error flushed(llvm::raw_fd_ostream &os, llvm::StringRef name);

} // namespace autotp
