/// \file Deletes the checkpoints that newer ones replace, in the background, and nothing that this program did not write.
#pragma once

#include "runtime/base/folder_listing.h"

#include <future>
#include <map>
#include <set>

namespace autotp {

class OldCheckpoints {
public:
  /// Of the checkpoints in `folder`, the `wanted` newest stay; with 0 all of them.
  OldCheckpoints(std::string folder, int64_t wanted) : folder_(std::move(folder)), wanted_(wanted) {}
  ~OldCheckpoints() { await(); }

  /// This process has written the checkpoint of `step`. Begins to delete those that it replaces, unless some are being deleted
  /// already: then the next call, or finish(), sees to what is left.
  void add(int64_t step, FolderContents written);
  /// Deletes what is left, and returns when it is gone.
  void finish();
  /// What was found not to be this program's alone, and stays, since the last call: a line each.
  std::vector<std::string> takeNotes() { return std::exchange(notes_, {}); }

private:
  struct Kept {
    std::string path, note;
  };
  static std::vector<Kept> deleteAll(const std::map<std::string, FolderContents> &olds);
  void begin();
  void await();

  std::string folder_;
  int64_t wanted_, newest_ = 0;
  /// What this process has written, by path: as long as nothing has changed, none of it need be read to be known.
  std::map<std::string, FolderContents> written_;
  std::set<std::string> kept_; ///< paths, each with a note that was said
  std::vector<std::string> notes_;
  std::future<std::vector<Kept>> deleting_;
};

} // namespace autotp
