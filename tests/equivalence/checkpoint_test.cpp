// A run that is saved and goes on, on its mesh or another, is the run that was not interrupted.
#include "tests/equivalence/checkpoints.h"

#include "runtime/base/error.h"
#include "runtime/base/folder_listing.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/save_lock.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

namespace autotp::test {
namespace {

constexpr Mesh kFrom{2, 2, 2, 1};

std::string errorOf(const TrainOptions &options) {
  llvm::Error error = autotp::train(options);
  return error ? describe(std::move(error)) : std::string();
}

testing::AssertionResult contains(const std::string &text, llvm::StringRef part) {
  if (llvm::StringRef(text).contains(part)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no '" << part.str() << "' in: " << text;
}

void append(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

std::string bytesIn(const std::string &path) {
  return llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(path)))->getBuffer().str();
}

TEST(Checkpoints, GoOnOnAnyMesh) {
  expectGoesOnAnywhere("llama", kFrom,
                       {kFrom, {4, 1, 0, 1}, {1, 2, 3, 1}, {1, 1, 0, 2}, {2, 1, 0, 1}, {3, 1, 0, 1}, {2, 2, 3, 1}});
}

TEST(Checkpoints, GoOnFromUnevenAndSlicedOnes) {
  expectGoesOnAnywhere("llama", {3, 1, 0, 1}, {{2, 2, 3, 1}, {1, 1, 0, 1}});
  expectGoesOnAnywhere("gpt2", {2, 2, 3, 1}, {{2, 2, 3, 1}, {1, 2, 1, 1}});
}

TEST(Checkpoints, GoOnInOtherBuckets) {
  const SavedPlan first("llama", kFrom), other("llama", {2, 2, 2, 1}, {.bucketBytes = 4 << 10});
  expectLoadsExactly(other.folder() + "/plan", first.saved(1));
}

TEST(Checkpoints, GoOnInAnotherDtype) {
  const RunAs inBf16{.dtype = DType::BF16};
  expectGoesOnAnywhere("llama", kFrom, {kFrom}, inBf16);
  const SavedPlan small("llama", kFrom, inBf16), wide("llama", {1, 2, 1, 1});
  expectLoadsExactly(wide.folder() + "/plan", small.saved(2));
  expectLoadsExactly(small.folder() + "/plan", wide.saved(2));
}

/// The loss scale, and the steps that were skipped, go on too.
TEST(Checkpoints, GoOnAfterStepsWereSkipped) {
  const RunAs overflowing{.dtype = DType::F16, .lossScale = {0x1p40, 2000}};
  expectGoesOnAnywhere("mlp", kFrom, {kFrom}, overflowing);
  const SavedPlan small("mlp", kFrom, overflowing), wide("mlp", {1, 1, 0, 1});
  const std::string checkpoint = small.saved(2);
  EXPECT_EQ(llvm::cantFail(readCheckpointFacts(checkpoint)).skippedSteps, 2);
  expectLoadsExactly(wide.folder() + "/plan", checkpoint);
  // An f32 plan counts the updates that were done, of which there is none: its first one is that of a new run.
  TrainOptions options = wide.options();
  options.resume = checkpoint;
  options.save = wide.folder() + "/checkpoints";
  options.steps = 3;
  wide.run(options);
  EXPECT_EQ(llvm::cantFail(readCheckpointFacts(options.save + "/step-3")).skippedSteps, 2);
}

TEST(Checkpoints, GoOnWithAModelsOwnTrainingGraph) {
  expectGoesOnAnywhere("training-info-mlp", {2, 1, 0, 1}, {{2, 1, 0, 1}, {1, 2, 2, 1}});
  expectGoesOnAnywhere("training-info-mlp-momentum", {1, 2, 2, 1}, {{1, 2, 2, 1}, {2, 1, 0, 1}});
}

/// Another global batch goes on with the samples that come next.
TEST(Checkpoints, SeeEachSampleOnce) {
  const SavedPlan first("llama", {1, 1, 0, 1}), second("llama", {1, 1, 0, 2});
  TrainOptions options = first.options();
  options.feed.clear();
  options.data = "synthetic:5";
  options.save = first.folder() + "/checkpoints";
  options.steps = 2;
  first.run(options);
  const Checkpoint facts = llvm::cantFail(readCheckpointFacts(options.save + "/step-2"));
  EXPECT_EQ(facts.rows, 8);
  EXPECT_EQ(facts.data, "synthetic:5");
  options.resume = "auto";
  options.steps = 3;
  first.run(options);
  EXPECT_EQ(llvm::cantFail(readCheckpointFacts(options.save + "/step-3")).rows, 12);
}

TEST(Checkpoints, AreTheSameFilesIfWrittenMeanwhile) {
  const SavedPlan plan("llama", kFrom);
  TrainOptions options = plan.options();
  options.save = plan.folder() + "/at-once";
  options.saveEvery = 1;
  const std::vector<double> atOnce = plan.run(options);
  options.save = plan.folder() + "/meanwhile";
  options.savesAsync = true;
  EXPECT_EQ(plan.run(options), atOnce);
  for (const char *step : {"/step-1", "/step-3", "/step-5"}) {
    const auto digests = listedDigests(plan.folder() + "/at-once" + step);
    EXPECT_GT(digests.size(), 4u);
    EXPECT_EQ(listedDigests(options.save + step), digests) << step;
  }
}

TEST(Checkpoints, OnlyTheNewestAreKept) {
  const SavedPlan plan("mlp", kFrom);
  TrainOptions options = plan.options();
  options.save = plan.folder() + "/checkpoints";
  options.saveEvery = 1;
  options.keep = 2;
  options.steps = 2;
  plan.run(options);
  append(options.save + "/step-1/notes.txt", "the user's");
  append(options.save + "/notes.txt", "the user's");
  options.steps = 5;
  options.resume = "auto";
  plan.run(options);
  auto exists = [&](const char *name) { return llvm::sys::fs::exists(options.save + name); };
  EXPECT_TRUE(exists("/step-5") && exists("/step-4") && exists("/notes.txt"));
  EXPECT_TRUE(exists("/step-1/notes.txt") && exists("/step-1/manifest.json")); // it holds what is not ours
  EXPECT_FALSE(exists("/step-2") || exists("/step-3"));
}

/// What lies behind a link is not this program's to delete.
TEST(Checkpoints, LinksAreKept) {
  const SavedPlan plan("mlp", {1, 1, 0, 1});
  TrainOptions options = plan.options();
  options.save = plan.folder() + "/checkpoints";
  options.steps = 1;
  plan.run(options);
  const std::string elsewhere = plan.folder() + "/elsewhere", link = options.save + "/step-1";
  llvm::cantFail(llvm::errorCodeToError(llvm::sys::fs::rename(link, elsewhere)));
  llvm::cantFail(llvm::errorCodeToError(llvm::sys::fs::create_link(elsewhere, link)));
  options.steps = 3;
  options.saveEvery = options.keep = 1;
  options.resume = "auto";
  plan.run(options);
  EXPECT_TRUE(llvm::sys::fs::exists(elsewhere + "/weights-00000.safetensors"));
  EXPECT_TRUE(llvm::sys::fs::exists(link));
}

/// Whatever would be lost is said before the first step.
TEST(Checkpoints, WhatLiesInTheWayIsSaidFirst) {
  const SavedPlan plan("mlp", {1, 1, 0, 1});
  TrainOptions options = plan.options();
  options.save = plan.folder() + "/checkpoints";
  options.steps = 2;
  plan.run(options);
  append(options.save + "/step-2/notes.txt", "the user's");
  options.log.clear();
  EXPECT_TRUE(contains(errorOf(options), "'notes.txt'"));
  EXPECT_TRUE(contains(errorOf(options), "move it away, or name another folder"));
  llvm::cantFail(llvm::errorCodeToError(llvm::sys::fs::remove(options.save + "/step-2/notes.txt")));
  options.resume = options.save + "/step-2";
  options.steps = 3;
  options.saveWeights = options.save + "/step-2/weights-00000.safetensors";
  EXPECT_TRUE(contains(errorOf(options), "it is read, and would be replaced"));
}

TEST(Checkpoints, TheNewestWholeOneIsTaken) {
  const SavedPlan plan("mlp", {2, 1, 0, 1});
  TrainOptions options = plan.options();
  options.save = plan.folder() + "/checkpoints";
  options.resume = "auto";
  options.saveEvery = 1;
  options.steps = 3;
  EXPECT_EQ(plan.run(options).size(), 3u); // there is none yet
  llvm::cantFail(llvm::errorCodeToError(llvm::sys::fs::remove(options.save + "/step-3/files.xxh128")));
  llvm::cantFail(
      llvm::errorCodeToError(llvm::sys::fs::create_directory(options.save + "/step-9.autotp-0123456789abcdef")));
  options.steps = 4;
  options.save = plan.folder() + "/others";
  options.saveEvery = 0;
  options.resume = plan.folder() + "/checkpoints";
  EXPECT_EQ(plan.run(options).size(), 2u); // steps 3 and 4
  llvm::cantFail(
      llvm::errorCodeToError(llvm::sys::fs::remove(plan.folder() + "/checkpoints/step-2/weights-00001.safetensors")));
  options.save.clear();
  EXPECT_EQ(plan.run(options).size(), 3u); // a file of step 2 is missing
}

void flipLastByte(const std::string &file) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(-1, std::ios::end);
  const char last = char(stream.get());
  stream.seekp(-1, std::ios::end);
  stream.put(char(last ^ 1));
}

/// A byte of a state, which only a digest tells: ranks find it together, and all take the one before.
TEST(Checkpoints, DamagedOnesArePassedOver) {
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, kFrom}) {
    const SavedPlan plan("mlp", mesh);
    TrainOptions options = plan.options();
    options.save = plan.folder() + "/checkpoints";
    options.saveEvery = 1;
    const std::vector<double> losses = plan.run(options);
    flipLastByte(options.save + "/step-5/exp_avg-00000.safetensors");
    flipLastByte(options.save + "/step-4/weights-00000.safetensors");
    const std::string damaged = bytesIn(options.save + "/step-4/weights-00000.safetensors");
    options.resume = options.save; // a folder of them
    options.log = plan.folder() + "/again.jsonl";
    append(options.log, "");
    testing::internal::CaptureStdout();
    options.isQuiet = false;
    const std::vector<double> again = plan.run(options);
    const std::string said = testing::internal::GetCapturedStdout();
    EXPECT_EQ(again, std::vector<double>(losses.begin() + 3, losses.end())) << said;
    EXPECT_TRUE(contains(said, "passed over " + options.save +
                                   "/step-5/exp_avg-00000.safetensors: it is not as it was written"));
    EXPECT_TRUE(contains(said, "passed over " + options.save + "/step-4/weights-00000.safetensors: "));
    EXPECT_TRUE(contains(said, "resumed " + options.save + "/step-3: 3 steps are done"));
    EXPECT_TRUE(contains(said, "the damaged one that stood there is now " + options.save + "/step-4.old-"));
    int kept = 0; // nothing is deleted
    for (const auto &entry : std::filesystem::directory_iterator(options.save))
      if (llvm::StringRef(entry.path().filename().string()).startswith("step-4.old-"))
        kept += bytesIn(entry.path().string() + "/weights-00000.safetensors") == damaged;
    EXPECT_EQ(kept, 1);
    options.resume = "auto";
    testing::internal::CaptureStdout();
    EXPECT_TRUE(plan.run(options).empty());
    EXPECT_TRUE(contains(testing::internal::GetCapturedStdout(),
                         "resumed " + options.save + "/step-5: 5 steps are done")); // which was written anew
  }
}

TEST(Checkpoints, WhatWasChangedIsRefusedByName) {
  const SavedPlan plan("mlp", {2, 1, 0, 1});
  TrainOptions options = plan.options();
  options.save = plan.folder() + "/checkpoints";
  options.steps = 1;
  plan.run(options);
  const std::string file = options.save + "/step-1/weights-00001.safetensors";
  auto text = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(file)))->getBuffer().str();
  text.back() = char(text.back() ^ 1);
  std::ofstream(file, std::ios::binary) << text;
  options.resume = options.save + "/step-1";
  options.save.clear();
  options.steps = 2;
  EXPECT_TRUE(contains(errorOf(options), "weights-00001.safetensors: it is not as it was written"));
  std::ofstream(file, std::ios::binary) << text.substr(0, text.size() / 2);
  EXPECT_TRUE(contains(errorOf(options), "weights-00001.safetensors"));
}

TEST(Checkpoints, AnotherModelIsRefusedWithAllDifferences) {
  const SavedPlan mlp("mlp", {1, 1, 0, 1}), momentum("training-info-mlp-momentum", {1, 1, 0, 1});
  TrainOptions other = momentum.options();
  other.resume = mlp.saved(1);
  const std::string error = errorOf(other);
  EXPECT_TRUE(contains(error, "it lacks the momentum_buffer of parameter '"));
  EXPECT_TRUE(contains(error, "it has the exp_avg of parameter '"));
}

/// Runs `autotp-plan export` of a checkpoint.
int exported(const std::string &checkpoint, const std::string &model, const std::string &output) {
  const std::string command = std::string(AUTOTP_BINARY_DIR) + "/bin/autotp-plan export --checkpoint " + checkpoint +
                              (model.empty() ? "" : " --model " + model) + " -o " + output + " >" + output +
                              ".out 2>&1";
  return std::system(command.c_str());
}

/// The user's own graph with what was trained: it trains on from there, and holds the very weights.
TEST(Checkpoints, GoOutAsTheModelThatWasTrained) {
  for (const std::string fixture : {"llama", "llama-ts", "llama-tied-logits", "mlp"}) {
    SCOPED_TRACE(fixture);
    const SavedPlan plan(fixture, {2, 2, 2, 1});
    TrainOptions options = plan.options();
    options.steps = 2;
    options.save = plan.folder() + "/checkpoints";
    options.saveWeights = plan.folder() + "/weights.safetensors";
    plan.run(options);
    const std::string model = std::string(AUTOTP_SOURCE_DIR) + "/tests/fixtures/" + fixture + "/model.onnx";
    const std::string trained = plan.folder() + "/trained.onnx";
    ASSERT_EQ(exported(options.save, model, trained), 0) << bytesIn(trained + ".out");
    const SavedPlan again(fixture, {1, 1, 0, 1}, {.model = trained});
    TrainOptions still = again.options();
    still.steps = 1;
    still.lr = 0;
    still.saveWeights = again.folder() + "/weights.safetensors";
    again.run(still);
    EXPECT_EQ(bytesIn(still.saveWeights), bytesIn(options.saveWeights));
    const std::string alone = plan.folder() + "/alone.safetensors";
    ASSERT_EQ(exported(options.save + "/step-2", "", alone), 0) << bytesIn(alone + ".out");
    const SafetensorsFile all = llvm::cantFail(readSafetensors(alone)),
                          saved = llvm::cantFail(readSafetensors(options.saveWeights));
    ASSERT_EQ(all.tensors.size(), saved.tensors.size());
    for (size_t i = 0; i < all.tensors.size(); ++i) {
      EXPECT_EQ(all.tensors[i].name, saved.tensors[i].name);
      EXPECT_TRUE(all.tensors[i].shape == saved.tensors[i].shape && all.tensors[i].bytes == saved.tensors[i].bytes);
    }
  }
}

TEST(Checkpoints, DoNotGoOutAsAnotherModel) {
  const SavedPlan plan("mlp", {1, 1, 0, 1});
  const std::string checkpoint = plan.saved(1);
  const std::string output = plan.folder() + "/trained.onnx",
                    llama = std::string(AUTOTP_SOURCE_DIR) + "/tests/fixtures/llama/model.onnx";
  EXPECT_NE(exported(checkpoint, llama, output), 0);
  EXPECT_TRUE(contains(bytesIn(output + ".out"), "which was trained"));
  EXPECT_NE(exported(checkpoint, "", output), 0);
  EXPECT_TRUE(contains(bytesIn(output + ".out"), "--model: it is missing"));
  EXPECT_NE(exported(checkpoint, llama, plan.folder() + "/trained.txt"), 0);
  EXPECT_FALSE(llvm::sys::fs::exists(output));
}

TEST(Checkpoints, FlagsThatNeedAFolderSaySoAtOnce) {
  const SavedPlan plan("mlp", {1, 1, 0, 1});
  TrainOptions options = plan.options();
  options.saveEvery = options.keep = 1;
  options.savesAsync = true;
  options.resume = "auto";
  const std::string error = errorOf(options);
  for (const char *flag : {"--save-every", "--keep", "--save-async", "--resume auto"})
    EXPECT_TRUE(contains(error, flag + std::string(": there is no --save")));
  options = plan.options();
  options.resume = plan.folder() + "/nowhere";
  EXPECT_TRUE(contains(errorOf(options), "there is no such folder"));
  options.resume = plan.folder();
  EXPECT_TRUE(contains(errorOf(options), "there is no whole checkpoint in it"));
  options.resume.clear();
  options.save = plan.folder() + "/plan/manifest.json";
  EXPECT_TRUE(contains(errorOf(options), "not a folder"));
}

/// The one that has begun is named, and another run may save there once it has ended.
TEST(Checkpoints, TwoRunsDoNotSaveIntoOneFolder) {
  const SavedPlan plan("mlp", {1, 1, 0, 1});
  TrainOptions options = plan.options();
  options.save = plan.folder() + "/checkpoints";
  options.log.clear();
  llvm::cantFail(llvm::errorCodeToError(llvm::sys::fs::create_directory(options.save)));
  {
    const auto lock = llvm::cantFail(SaveLock::take(options.save));
    const std::string error = errorOf(options);
    EXPECT_TRUE(contains(error, "another run saves there: process " + std::to_string(getpid()) + " on "));
    EXPECT_FALSE(llvm::sys::fs::exists(options.save + "/step-5"));
  }
  EXPECT_EQ(errorOf(options), "");
  EXPECT_TRUE(llvm::sys::fs::exists(options.save + "/step-5"));
}

/// A signal ends the run after the step that it is in, with a checkpoint.
TEST(Checkpoints, ASignalEndsARunWithOne) {
  const SavedPlan plan("mlp", kFrom);
  TrainOptions options = plan.options();
  options.feed.clear();
  options.data = "synthetic";
  options.save = plan.folder() + "/checkpoints";
  options.steps = int64_t(1) << 40;
  options.log.clear();
  std::thread later([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    raise(SIGTERM);
  });
  EXPECT_EQ(errorOf(options), "");
  later.join();
  options.maxMinutes = 1e-9;
  options.resume = "auto";
  EXPECT_EQ(errorOf(options), ""); // one step more
}

} // namespace
} // namespace autotp::test
