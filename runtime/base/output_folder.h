/// \file A folder that a command writes whole. At each instant, its name stands for the whole old folder or the whole
/// new one. Only a folder that is proven to be ours (folder_listing.h) is deleted; with Options::force, anything else
/// at its place is moved aside.
#pragma once

#include "runtime/base/folder_listing.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace autotp {

/// Exchanges two folders in one step. Returns 0, or -1 with errno set.
using ExchangeFolders = int (*)(const char *a, const char *b);
int exchangeFolders(const char *a, const char *b);

/// Writes a new file and returns the digest of its bytes. If `isDurable`, they have reached the disk when it returns. Errors
/// say `shown` instead of `file`.
llvm::Expected<std::string> writeNewFile(const std::string &file, llvm::StringRef shown, bool isDurable,
                                         llvm::function_ref<void(llvm::raw_ostream &)> contents);

class OutputFolder {
public:
  struct Options {
    bool force = false;              ///< move aside what is not ours
    bool isDurable = false;          ///< its files, and then its name, have reached the disk when commit() returns
    std::vector<std::string> inputs; ///< paths that are read; a folder that holds one of them is not replaced
    ExchangeFolders exchange = exchangeFolders;
  };

  /// Examines what lies at `path` and changes nothing. Errors: it is no folder, or a folder that is not ours without
  /// force, or one that holds an input or in which the process runs; its parent does not exist or is not writable.
  static llvm::Expected<std::unique_ptr<OutputFolder>> open(llvm::StringRef path, Options options);
  OutputFolder(const OutputFolder &) = delete;
  OutputFolder &operator=(const OutputFolder &) = delete;
  ~OutputFolder(); ///< without commit(), deletes what was written

  const std::string &path() const { return path_; }
  /// Where the files lie until commit(), for those that other processes write with writeNewFile(). list() says that such a
  /// file belongs to the folder, and what its digest is as soon as that is known.
  llvm::Expected<std::string> temporary();
  void list(llvm::StringRef name, llvm::StringRef digest) { digests_[name.str()] = digest.str(); }
  /// Writes one file, `name` within the folder, and returns its digest.
  llvm::Expected<std::string> write(llvm::StringRef name, llvm::function_ref<void(llvm::raw_ostream &)> contents);
  /// Gives the folder, with its list, its name. If something that is not ours lay there, returns where it lies now;
  /// returns an empty text if nothing did, or it was ours and is deleted.
  llvm::Expected<std::string> commit();
  /// What commit() has given its name, as it was when nobody else knew its place: isUnchanged() tells by it, without reading
  /// a file, that the folder still is what was written.
  const FolderContents &written() const { return written_; }

private:
  OutputFolder(llvm::StringRef path, Options options) : path_(path.str()), options_(std::move(options)) {}
  llvm::Error examine();
  llvm::Expected<bool> tryCommit();
  llvm::Expected<bool> swap();
  llvm::Expected<bool> swapByTwoRenames();
  llvm::Error dispose(const std::string &aside);

  std::string path_, temporary_; ///< `temporary_`: where the new folder lies until it has its name
  Options options_;
  std::map<std::string, std::string> digests_; ///< of the written files, by name
  FolderContents standing_;                    ///< what lies at `path_`; empty if nothing does
  FolderContents written_;
  std::string movedTo_;
};

} // namespace autotp
