#include "runtime/train/old_checkpoints.h"

#include "runtime/checkpoint/find_checkpoint.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"

#include <sys/resource.h>

namespace autotp {
namespace {

/// Deletes what is proven to be ours: it is as this process left it, or else all of its files are read and compared with their
/// digests. Returns a note on what stays; an empty text if nothing does.
std::string deleteIfOurs(const std::string &path, const FolderContents &written) {
  FolderContents contents = written;
  if (!written.isOurs() || !isUnchanged(path, written)) {
    llvm::Expected<FolderContents> examined = examineFolder(path);
    if (!examined) return "kept " + inOneLine(examined.takeError());
    contents = std::move(*examined);
  }
  if (contents.isEmpty()) {
    (void)llvm::sys::fs::remove(path); // left by a process that was killed while it deleted
    return "";
  }
  if (!contents.isOurs())
    return "kept " + path + ": it holds what this command did not write: " + contents.foreignNames();
  return deleteOurs(path, contents) ? "" : "kept " + path + ": it cannot be deleted whole";
}

} // namespace

std::vector<OldCheckpoints::Kept> OldCheckpoints::deleteAll(const std::map<std::string, FolderContents> &olds) {
  constexpr int kLeastPriority = 19;
  (void)setpriority(PRIO_PROCESS, 0, kLeastPriority); // of this thread alone, on Linux: training goes on beside it
  std::vector<Kept> kept;
  for (const auto &[path, written] : olds)
    if (std::string note = deleteIfOurs(path, written); !note.empty()) kept.push_back({path, std::move(note)});
  return kept;
}

void OldCheckpoints::add(int64_t step, FolderContents written) {
  const std::string added = checkpointOf(folder_, step);
  written_[added] = std::move(written);
  kept_.erase(added);
  newest_ = step;
  if (deleting_.valid() && deleting_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  await();
  begin();
}

void OldCheckpoints::finish() {
  await();
  begin();
  await();
}

void OldCheckpoints::begin() {
  if (wanted_ == 0) return;
  std::vector<int64_t> steps = stepsIn(folder_);
  llvm::erase_if(steps, [&](int64_t step) { return step > newest_; }); // of a run that got further, once
  std::map<std::string, FolderContents> olds;
  for (size_t i = 0; i + size_t(wanted_) < steps.size(); ++i)
    if (const std::string path = checkpointOf(folder_, steps[i]); !kept_.count(path)) {
      const auto known = written_.find(path);
      olds[path] = known == written_.end() ? FolderContents() : std::move(known->second);
      written_.erase(path);
    }
  if (!olds.empty()) deleting_ = std::async(std::launch::async, deleteAll, std::move(olds));
}

void OldCheckpoints::await() {
  if (!deleting_.valid()) return;
  for (Kept &kept : deleting_.get()) {
    notes_.push_back(std::move(kept.note));
    kept_.insert(std::move(kept.path));
  }
}

} // namespace autotp
