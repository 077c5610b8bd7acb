// Which rank writes what into a checkpoint, and what reads it again.
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/folder_listing.h"
#include "runtime/base/output_folder.h"
#include "runtime/checkpoint/checkpoint_reader.h"
#include "runtime/checkpoint/find_checkpoint.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace autotp::test {
namespace {

void setFlat(plan::TensorRef &tensor, uint64_t offset, int64_t elements) {
  tensor.set_offset(offset);
  tensor.set_dtype(uint32_t(DType::F32));
  tensor.clear_shape();
  tensor.add_shape(elements);
}

using Bounds = std::vector<std::vector<int64_t>>;

plan::Parameter parameterOf(const std::vector<int64_t> &shape, const Bounds &covers) {
  plan::Parameter p;
  p.set_name("w");
  p.mutable_tensor()->set_dtype(uint32_t(DType::F32));
  for (size_t d = 0; d < shape.size(); ++d) {
    p.add_global_shape(shape[d]);
    plan::Cover &cover = *p.add_covers();
    int64_t held = 0;
    for (size_t i = 0; i < covers[d].size(); i += 2) {
      cover.add_begins(covers[d][i]);
      cover.add_ends(covers[d][i + 1]);
      held += covers[d][i + 1] - covers[d][i];
    }
    p.mutable_tensor()->add_shape(held);
  }
  return p;
}

/// A program with one parameter, which begins its bucket: the bucket's `elements`, of which a rank has so much.
plan::Program programOf(const plan::Parameter &parameter, int64_t elements, int64_t weights, int64_t state) {
  plan::Program program;
  *program.add_parameters() = parameter;
  plan::Bucket &bucket = *program.add_buckets();
  bucket.set_elements(elements);
  setFlat(*bucket.mutable_parameters(), 0, weights);
  plan::OptimizerState &sum = *bucket.add_states();
  sum.set_name("sum");
  setFlat(*sum.mutable_tensor(), 4096, state);
  return program;
}

/// "rank: begin to end" of the slices of a kind.
std::vector<std::string> textOf(const std::vector<SavedSlice> &slices, const std::string &kind) {
  std::vector<std::string> lines;
  for (const SavedSlice &slice : slices)
    if (slice.kind == kind)
      lines.push_back(std::to_string(slice.rank) + ": " + std::to_string(slice.begin) + " to " +
                      std::to_string(slice.end) + " at " + std::to_string(slice.tensor.offset()));
  return lines;
}

using Lines = std::vector<std::string>;

TEST(SavedSlices, OfShardsEachRankWritesItsOwn) {
  const plan::Program left = programOf(parameterOf({4, 6}, {{0, 4}, {0, 3}}), 12, 12, 12),
                      right = programOf(parameterOf({4, 6}, {{0, 4}, {3, 6}}), 12, 12, 12);
  const auto slices = savedSlices({&left, &right}, 2);
  EXPECT_EQ(textOf(slices, "weights"), (Lines{"0: 0 to 12 at 0", "1: 0 to 12 at 0"}));
  EXPECT_EQ(textOf(slices, "sum"), (Lines{"0: 0 to 12 at 4096", "1: 0 to 12 at 4096"}));
}

TEST(SavedSlices, RanksThatHoldTheSameShareALargeOne) {
  const int64_t n = int64_t(1) << 18;
  const plan::Program one = programOf(parameterOf({n}, {{0, n}}), n, n, n);
  EXPECT_EQ(textOf(savedSlices({&one, &one}, 2), "weights"),
            (Lines{"0: 0 to 65536 at 0", "1: 131072 to 196608 at 524288", "2: 65536 to 131072 at 262144",
                   "3: 196608 to 262144 at 786432"}));
  const plan::Program small = programOf(parameterOf({64}, {{0, 64}}), 64, 64, 64);
  EXPECT_EQ(textOf(savedSlices({&small, &small}, 2), "weights"), (Lines{"0: 0 to 64 at 0"}));
}

TEST(SavedSlices, WhatLiesInSlicesIsWrittenByWhoHasIt) {
  // Weights whole, states in a slice for each dp rank (ZeRO 1): the two tp ranks hold the same.
  const plan::Program overDp = programOf(parameterOf({6}, {{0, 6}}), 8, 8, 4);
  EXPECT_EQ(textOf(savedSlices({&overDp, &overDp}, 2), "sum"), (Lines{"0: 0 to 4 at 4096", "2: 4 to 6 at 4096"}));
  // In a slice for each rank; the last one is padding.
  const plan::Program overAll = programOf(parameterOf({6}, {{0, 6}}), 8, 8, 2);
  EXPECT_EQ(textOf(savedSlices({&overAll, &overAll}, 2), "sum"),
            (Lines{"0: 0 to 2 at 4096", "1: 2 to 4 at 4096", "2: 4 to 6 at 4096"}));
}

TEST(SavedSlices, StatesThatEachStepZeroesDoNotLast) {
  plan::Program program;
  for (uint64_t at : {0, 64, 128}) {
    plan::State &state = *program.add_states();
    state.set_name("at " + std::to_string(at));
    state.mutable_tensor()->set_offset(at);
  }
  program.add_zeroed_each_step()->set_offset(64);
  const auto lasting = lastingStates(program);
  ASSERT_EQ(lasting.size(), 2u);
  EXPECT_EQ(lasting[0]->name() + ", " + lasting[1]->name(), "at 0, at 128");
}

/// Elements of "w" [4, 6] whose values are their places, in slices.
Checkpoint::Tensor tensorOf(std::vector<Checkpoint::Slice> slices) {
  return {"w", "weights", {4, 6}, std::move(slices)};
}

std::vector<float> valuesOf(const Checkpoint::Slice &slice) {
  const Bounds covers = slice.covers.empty() ? Bounds{{0, 4}, {0, 6}} : slice.covers;
  std::vector<float> values;
  forEachHeld(parameterOf({4, 6}, covers), [&](int64_t local, int64_t global, std::span<const int64_t>) {
    if (local >= slice.begin && local < slice.end) values.push_back(float(global));
  });
  return values;
}

/// Writes a checkpoint of that tensor to FOLDER/step-7.
std::string write(const TemporaryFolder &folder, const Checkpoint::Tensor &tensor) {
  const std::string path = folder.path() + "/step-7";
  auto output = llvm::cantFail(OutputFolder::open(path, {}));
  Checkpoint checkpoint;
  checkpoint.step = 7;
  checkpoint.tensors = {tensor};
  llvm::cantFail(output->write(kScalarsFile, [](llvm::raw_ostream &os) { writeSafetensors(os, {}); }));
  for (const Checkpoint::Slice &slice : tensor.slices) {
    const std::vector<float> values = valuesOf(slice);
    NamedTensor named{"w", DType::F32, {int64_t(values.size())}, {}};
    named.bytes = {reinterpret_cast<const uint8_t *>(values.data()), values.size() * sizeof(float)};
    llvm::cantFail(output->write(slice.file, [&](llvm::raw_ostream &os) { writeSafetensors(os, {named}); }));
  }
  llvm::cantFail(output->write(kCheckpointManifest, [&](llvm::raw_ostream &os) { os << checkpointText(checkpoint); }));
  llvm::cantFail(output->commit());
  return path;
}

/// Puts another manifest in the place of step-7's, and into the list of its files: as somebody would who means to deceive.
void forge(const TemporaryFolder &folder, const std::string &manifest) {
  folder.write("step-7/manifest.json", manifest);
  auto digests = listedDigests(folder.path() + "/step-7");
  digests[kCheckpointManifest.str()] = digestOf(manifest);
  folder.write("step-7/" + std::string(kListingName), listingText(digests));
}

std::string readError(const std::string &folder) {
  auto reader = CheckpointReader::open(folder);
  return reader ? "" : describe(reader.takeError());
}

const Checkpoint::Tensor kShards = tensorOf(
    {{"a", 0, 5, {{0, 4}, {0, 2, 5, 6}}}, {"b", 5, 12, {{0, 4}, {0, 2, 5, 6}}}, {"c", 0, 16, {{0, 4}, {1, 5}}}});

TEST(CheckpointReader, ReadsWhatAnotherRankHolds) {
  const TemporaryFolder folder;
  const auto reader = llvm::cantFail(CheckpointReader::open(write(folder, kShards)));
  EXPECT_EQ(reader->facts().step, 7);
  for (const Bounds &covers :
       {Bounds{{0, 4}, {0, 6}}, Bounds{{1, 3}, {0, 6}}, Bounds{{0, 1, 3, 4}, {2, 3, 4, 6}}, Bounds{{2, 3}, {5, 6}}}) {
    const plan::Parameter held = parameterOf({4, 6}, covers);
    const int64_t elements = elementsOf(held.tensor());
    std::vector<float> expected;
    forEachHeld(held, [&](int64_t, int64_t global, std::span<const int64_t>) { expected.push_back(float(global)); });
    for (int64_t begin = 0; begin < elements; ++begin)
      for (int64_t end = begin; end <= elements; ++end) {
        std::vector<float> values(size_t(end - begin), -1);
        const uint64_t before = reader->bytesRead();
        ASSERT_FALSE(bool(reader->read(held, "weights", begin, values)));
        EXPECT_EQ(values, std::vector<float>(expected.begin() + begin, expected.begin() + end));
        EXPECT_EQ(reader->bytesRead() - before, uint64_t(end - begin) * sizeof(float)); // each element once
      }
  }
}

TEST(CheckpointReader, SaysWhatIsNotThere) {
  const TemporaryFolder folder;
  const Bounds left = {{0, 4}, {0, 3}};
  const auto reader =
      llvm::cantFail(CheckpointReader::open(write(folder, tensorOf({{"a", 0, 12, left}, {"b", 0, 12, left}}))));
  const plan::Parameter held = parameterOf({4, 6}, {{0, 4}, {2, 4}}); // columns 2 and 3
  std::vector<float> one(1), two(2);
  EXPECT_FALSE(bool(reader->read(held, "weights", 0, one)));
  const std::string error = describe(reader->read(held, "weights", 0, two));
  EXPECT_NE(error.find("it lacks elements of the weights of parameter 'w'"), std::string::npos) << error;
  EXPECT_NE(describe(reader->read(held, "sum", 0, one)).find("the sum of parameter 'w'"), std::string::npos);
}

TEST(CheckpointReader, RefusesWhatDoesNotFit) {
  const std::pair<const char *, Checkpoint::Tensor> cases[] = {
      {"beyond the end", tensorOf({{"a", 0, 25, {}}})},
      {"begins after its end", tensorOf({{"a", 3, 2, {}}})},
      {"covers of another rank", tensorOf({{"a", 0, 2, {{0, 2}}}})},
      {"covers beyond the shape", tensorOf({{"a", 0, 2, {{0, 2}, {0, 7}}}})},
      {"covers that overlap", tensorOf({{"a", 0, 2, {{0, 3, 2, 4}, {0, 6}}}})},
      {"half an interval", tensorOf({{"a", 0, 2, {{0, 3, 3}, {0, 6}}}})},
      {"less elements than the shape", tensorOf({{"a", 0, 23, {}}})},
      {"no slices", {"w", "weights", {int64_t(1) << 60}, {}}},
      {"a negative shape", {"w", "weights", {-5}, {}}},
      {"a shape beyond all numbers", {"w", "weights", {int64_t(1) << 32, int64_t(1) << 32, int64_t(1) << 32}, {}}},
      {"a transposed alias of one dimension", {"w", "weights", {24}, {{"a", 0, 24, {}}}, {{"v", true}}}},
  };
  for (const auto &[what, tensor] : cases) {
    const TemporaryFolder folder;
    const std::string path = write(folder, tensorOf({{"a", 0, 24, {}}}));
    Checkpoint broken;
    broken.tensors = {tensor};
    forge(folder, checkpointText(broken));
    EXPECT_NE(readError(path).find("does not fit its files"), std::string::npos) << what;
  }
}

TEST(CheckpointReader, RefusesWhatIsNoWholeCheckpoint) {
  const TemporaryFolder folder;
  const std::string path = write(folder, kShards);
  EXPECT_EQ(readError(path), "");
  for (const auto &[text, words] :
       {std::pair<std::string, std::string>{"{", "is no JSON"},
        {std::string(1 << 20, '['), "nested too deeply"},
        {R"({"format_version": 1, "step": 1, "skipped_steps": 0, "rows": 9223372036854775805,
                                         "seed": 0, "data": "", "tensors": []})",
         "does not fit its files"},
        {"{}", "another format version"},
        {"{\"format_version\": 1}", "step"}}) {
    forge(folder, text);
    EXPECT_NE(readError(path).find(words), std::string::npos) << text.substr(0, 99) << ": " << readError(path);
  }
  folder.write("step-7/manifest.json", checkpointText({}));
  EXPECT_NE(readError(path).find("is not as it was written"), std::string::npos);
  std::filesystem::remove(path + "/manifest.json");
  ASSERT_EQ(mkfifo((path + "/manifest.json").c_str(), 0600), 0); // nobody writes to it
  EXPECT_NE(readError(path).find("manifest.json: it is no regular file"), std::string::npos);
  folder.write("step-7/files.xxh128", "");
  EXPECT_NE(readError(path).find("it has no list of its files"), std::string::npos);
  EXPECT_NE(readError(folder.path()).find("it is no checkpoint"), std::string::npos);
}

TEST(CheckpointReader, FilesAreVerifiedInTurn) {
  const TemporaryFolder folder;
  const auto reader = llvm::cantFail(CheckpointReader::open(write(folder, kShards)));
  folder.write("step-7/b", "changed"); // the second by name, of "a", "b", "c", "manifest.json", "scalars.safetensors"
  EXPECT_TRUE(reader->changedFiles(0, 3).empty());
  EXPECT_EQ(reader->changedFiles(1, 3), std::vector<std::string>{"b"});
  const std::string error = describe(reader->verify());
  EXPECT_NE(error.find("step-7/b: it is not as it was written"), std::string::npos) << error;
}

TEST(FindCheckpoint, TakesTheNewestWholeOneByNumber) {
  const TemporaryFolder folder;
  write(folder, kShards);
  for (const char *name : {"step-10", "step-8.autotp-00", "step-9.old-00", "step-007", "step-", "steps", "step-3.txt"})
    std::filesystem::create_directories(folder.path() + "/" + name);
  const FoundCheckpoint found = newestCheckpoint(folder.path());
  ASSERT_TRUE(found.reader);
  EXPECT_EQ(found.reader->folder(), folder.path() + "/step-7");
  ASSERT_EQ(found.passedOver.size(), 2u);
  EXPECT_NE(found.passedOver[0].find("step-10"), std::string::npos);
  EXPECT_NE(found.passedOver[1].find("step-8.autotp-00: it was not written to its end"), std::string::npos);
  EXPECT_EQ(stepsIn(folder.path()), (std::vector<int64_t>{7, 10}));
  EXPECT_FALSE(newestCheckpoint(folder.path() + "/none").reader);
  const std::string newest = folder.path() + "/step-7";
  const FoundCheckpoint without = newestCheckpoint(folder.path(), {{newest, "it is damaged"}});
  EXPECT_FALSE(without.reader);
  EXPECT_EQ(without.passedOver.back(), "it is damaged");
  EXPECT_EQ(without.damaged.size(), 2u); // and not step-8, which is half written
}

} // namespace
} // namespace autotp::test
