// Which checkpoints are deleted once newer ones are there, and by which proof.
#include "runtime/base/digest.h"
#include "runtime/base/output_folder.h"
#include "runtime/checkpoint/find_checkpoint.h"
#include "runtime/train/old_checkpoints.h"
#include "tests/runtime/temporary_file.h"

#include <chrono>
#include <gtest/gtest.h>
#include <thread>

namespace autotp::test {
namespace {

namespace fs = std::filesystem;

class OldOnes : public testing::Test {
protected:
  /// A folder of a checkpoint's name, with a list of its files. If not `isListedRight`, the list has another digest for one.
  FolderContents write(int64_t step, bool isListedRight = true) const {
    auto made = llvm::cantFail(OutputFolder::open(pathOf(step), {}));
    for (const char *name : {"manifest.json", "weights/0"})
      llvm::cantFail(made->write(name, [&](llvm::raw_ostream &os) { os << "text of " << name; }));
    if (!isListedRight) made->list("weights/0", digestOf("another text"));
    llvm::cantFail(made->commit());
    return made->written();
  }
  std::string pathOf(int64_t step) const { return checkpointOf(folder.path(), step); }
  std::vector<int64_t> steps() const { return stepsIn(folder.path()); }
  /// Waits until a change gets another time than what was there before it: clocks of file systems tick some times a second.
  static void passTime() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

  const TemporaryFolder folder;
};

using Steps = std::vector<int64_t>;
using Notes = std::vector<std::string>;

/// Nothing of what this process has written is read: else the digest would speak against it.
TEST_F(OldOnes, AreKnownByTheirTimesIfThisProcessWroteThem) {
  OldCheckpoints old(folder.path(), 2);
  for (int64_t step : {1, 2, 3, 4}) // faster, perhaps, than they are deleted
    old.add(step, write(step, /*isListedRight=*/false));
  old.finish();
  EXPECT_EQ(steps(), (Steps{3, 4}));
  EXPECT_EQ(old.takeNotes(), Notes{});
}

TEST_F(OldOnes, OfOtherRunsAreKnownByTheirDigests) {
  write(1);
  write(2, /*isListedRight=*/false);
  OldCheckpoints old(folder.path(), 1);
  old.add(3, write(3));
  old.finish();
  EXPECT_EQ(steps(), (Steps{2, 3}));
  const Notes kept = {"kept " + pathOf(2) + ": it holds what this command did not write: 'weights/0' (changed since)"};
  EXPECT_EQ(old.takeNotes(), kept);
  old.add(4, write(4));
  old.finish();
  EXPECT_EQ(steps(), (Steps{2, 4}));
  EXPECT_EQ(old.takeNotes(), Notes{}); // said once
}

/// Each change here leaves the file's size and its own time as they were.
TEST_F(OldOnes, StayIfAnybodyChangedThem) {
  const FolderContents first = write(1), second = write(2), third = write(3);
  passTime();
  folder.write("step-1/notes.txt", "the user's");
  const auto time = fs::last_write_time(pathOf(2) + "/weights/0");
  folder.write("step-2/weights/0", "Text of weights/0");
  fs::last_write_time(pathOf(2) + "/weights/0", time);
  folder.write("new", "Text of weights/0");
  fs::last_write_time(folder.path() + "/new", time);
  fs::rename(folder.path() + "/new", pathOf(3) + "/weights/0");
  OldCheckpoints old(folder.path(), 1);
  old.add(1, first);
  old.add(2, second);
  old.finish();
  old.add(3, third);
  old.finish();
  old.add(4, write(4));
  old.finish();
  EXPECT_EQ(steps(), (Steps{1, 2, 3, 4}));
  EXPECT_EQ(old.takeNotes().size(), 3u);
  EXPECT_TRUE(fs::exists(pathOf(1) + "/notes.txt"));
}

/// A touch changes no byte, which the digests show.
TEST_F(OldOnes, AreDeletedIfOnlyTheirTimesChanged) {
  OldCheckpoints old(folder.path(), 1);
  old.add(1, write(1));
  passTime();
  folder.write("step-1/weights/0", "text of weights/0");
  old.add(2, write(2));
  old.finish();
  EXPECT_EQ(steps(), Steps{2});
}

/// A run that got further once is not this one's to delete, and 0 keeps all.
TEST_F(OldOnes, OfLaterStepsStay) {
  write(9);
  OldCheckpoints all(folder.path(), 0), one(folder.path(), 1);
  all.add(1, write(1));
  all.add(2, write(2));
  all.finish();
  EXPECT_EQ(steps(), (Steps{1, 2, 9}));
  one.add(3, write(3));
  one.finish();
  EXPECT_EQ(steps(), (Steps{3, 9}));
}

} // namespace
} // namespace autotp::test
