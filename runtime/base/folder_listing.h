/// \file files.xxh128 lists the files of a folder that we wrote, by which it is recognised. Only a folder that holds
/// nothing but what its list says, byte for byte, is proven to be ours and may be deleted.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace autotp {

constexpr const char *kListingName = "files.xxh128";

/// The text of the list: lines as `xxh128sum -c` reads them, between a line that says whose folder it is and a digest
/// of all lines before it. `digests` maps a path within the folder to its digest.
std::string listingText(const std::map<std::string, std::string> &digests);

/// What the list of a folder says, by path; empty if it has no whole list of ours. No other file is read.
std::map<std::string, std::string> listedDigests(const std::string &folder);

/// The contents of a folder at the time when it was examined.
struct FolderContents {
  struct Entry {
    std::string path; ///< within the folder; empty for the folder itself
    struct stat status;
  };
  std::vector<Entry> files;         ///< ours: the list itself, and the files that it lists with the same digest
  std::vector<Entry> folders;       ///< the folders of our files, the deepest first
  std::vector<std::string> foreign; ///< in single quotes; not in the list, or changed since it was written

  bool isEmpty() const { return files.empty() && foreign.empty(); }
  bool isOurs() const { return !files.empty() && foreign.empty(); }
  /// Text such as "'.git', 'src' and 3 more".
  std::string foreignNames() const;
};
/// Examines a folder by reading every listed file, without following links. If another process has just moved the
/// folder away, the result is empty. Errors: the folder cannot be read.
llvm::Expected<FolderContents> examineFolder(const std::string &folder);

/// The contents of a folder into which the caller has just written these files and nothing else: none is read again. Empty if one
/// of them is not there.
FolderContents contentsOfWritten(const std::string &folder, llvm::ArrayRef<std::string> paths);

/// Whether `folder` still is as it was when `contents` were read, by the times of its entries; no file is read again.
bool isUnchanged(const std::string &folder, const FolderContents &contents);

/// Deletes our files in `folder`, and then the folder. Returns false if something is left in it.
bool deleteOurs(const std::string &folder, const FolderContents &contents);

} // namespace autotp
