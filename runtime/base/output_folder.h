/// \file A folder that a command writes whole: under its name stands what stood there before, or all of the new one, at
/// each instant. Deleted is only what was proven to be ours (folder_listing.h); with Options::force what stands in the
/// way is moved aside.
#pragma once

#include "runtime/base/folder_listing.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace autotp {

/// Two folders change places in one step; 0, or -1 with errno.
using ExchangeFolders = int (*)(const char *a, const char *b);
int exchangeFolders(const char *a, const char *b);

class OutputFolder {
public:
  struct Options {
    bool force = false;              ///< move aside what is not ours
    std::vector<std::string> inputs; ///< what is read: no folder that holds one of them is replaced
    ExchangeFolders exchange = exchangeFolders;
  };

  /// Looks at what stands under `path` and changes nothing. Errors: no folder, one that is not ours without force, one
  /// that holds an input or in which the process runs, a parent that does not exist or takes nothing.
  static llvm::Expected<std::unique_ptr<OutputFolder>> open(llvm::StringRef path, Options options);
  OutputFolder(const OutputFolder &) = delete;
  OutputFolder &operator=(const OutputFolder &) = delete;
  ~OutputFolder(); ///< without commit(), takes away what was written

  const std::string &path() const { return path_; }
  /// One file, `name` within the folder; its SHA-256.
  llvm::Expected<std::string> write(llvm::StringRef name, llvm::function_ref<void(llvm::raw_ostream &)> contents);
  /// Puts the folder, with its list, under its name. Returns where what stood there and is not ours lies now; "": it
  /// was ours and is gone, or there was nothing.
  llvm::Expected<std::string> commit();

private:
  OutputFolder(llvm::StringRef path, Options options) : path_(path.str()), options_(std::move(options)) {}
  llvm::Error examine();
  llvm::Error begin();
  llvm::Expected<bool> tryCommit();
  llvm::Expected<bool> swap();
  llvm::Expected<bool> swapByTwoRenames();
  llvm::Error dispose(const std::string &aside);

  std::string path_, temporary_; ///< `temporary_`: where the new folder lies until it has its name
  Options options_;
  std::map<std::string, std::string> digests_; ///< of what was written, by name
  FolderContents standing_;                    ///< what stands under the name; empty where nothing does
  std::string movedTo_;
};

} // namespace autotp
