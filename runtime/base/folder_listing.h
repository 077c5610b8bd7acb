/// \file files.sha256: the list of what one of our folders holds, by which it is known again. Only a folder that holds
/// nothing but what its list says, byte for byte, was proven to be ours, and is deleted.
#pragma once

#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace autotp {

constexpr const char *kListingName = "files.sha256";

/// The list's text: lines of `sha256sum -c`, between a line that says whose folder it is and a digest of all lines
/// before it. `digests`: by path in the folder.
std::string listingText(const std::map<std::string, std::string> &digests);

/// What a folder holds, as it was looked at.
struct FolderContents {
  struct Entry {
    std::string path; ///< in the folder; "": the folder itself
    struct stat status;
  };
  std::vector<Entry> files;         ///< ours: the list itself, and what it lists with the same digest
  std::vector<Entry> folders;       ///< those of our files, the deepest first
  std::vector<std::string> foreign; ///< in single quotes; not in the list, or changed since

  bool isEmpty() const { return files.empty() && foreign.empty(); }
  bool isOurs() const { return !files.empty() && foreign.empty(); }
  /// "'.git', 'src' and 3 more"
  std::string foreignNames() const;
};
/// Reads every listed file. Follows no links. Of a folder that another process has just moved away: nothing. Errors: one
/// that cannot be read.
llvm::Expected<FolderContents> examineFolder(const std::string &folder);

/// Whether `folder` still is what `contents` were read of, by the times of its entries: no file is read again.
bool isUnchanged(const std::string &folder, const FolderContents &contents);

/// Deletes what is ours in `folder`, and then the folder: false where something is left in it.
bool deleteOurs(const std::string &folder, const FolderContents &contents);

} // namespace autotp
