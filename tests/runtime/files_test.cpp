/// \file Safetensors and manifests: there and back, and files that must be refused.
#include "runtime/base/error.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/safetensors.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

using test::little;
using test::TemporaryFolder;

TEST(Safetensors, RoundTrip) {
  TemporaryFolder folder;
  std::vector<uint8_t> bytes(24);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = uint8_t(i);
  std::vector<NamedTensor> tensors = {{"b", DType::F32, {2, 3}, bytes},
                                      {"a \"quoted\"", DType::I64, {}, llvm::ArrayRef<uint8_t>(bytes).take_front(8)},
                                      {"empty", DType::BF16, {0, 5}, {}}};
  std::string path = folder.path() + "/x.safetensors";
  ASSERT_FALSE(bool(writeSafetensors(path, tensors)));
  auto file = readSafetensors(path);
  ASSERT_TRUE(bool(file)) << describe(file.takeError());
  ASSERT_EQ(file->tensors.size(), 3u);
  for (const NamedTensor &wanted : tensors) {
    const NamedTensor *got = file->find(wanted.name);
    ASSERT_TRUE(got) << wanted.name;
    EXPECT_EQ(got->dtype, wanted.dtype);
    EXPECT_EQ(got->shape, wanted.shape);
    EXPECT_EQ(got->bytes, wanted.bytes);
  }
  EXPECT_EQ(file->find("c"), nullptr);
}

TEST(Safetensors, BrokenFiles) {
  TemporaryFolder folder;
  auto refuses = [&](const std::string &bytes) {
    auto file = readSafetensors(folder.write("bad", bytes));
    EXPECT_FALSE(bool(file)) << bytes;
    if (!file) llvm::consumeError(file.takeError());
  };
  auto withHeader = [](const std::string &header, size_t data) {
    return little(header.size(), 8) + header + std::string(data, 'x');
  };
  refuses("");
  refuses("1234567");
  refuses(little(~0ull, 8));
  refuses(little(100, 8) + "{}");
  refuses(withHeader("{", 0));
  refuses(withHeader("[]", 0));
  refuses(withHeader(R"({"a":3})", 0));
  refuses(withHeader(R"({"a":{"dtype":"F32","shape":[2]}})", 8));
  refuses(withHeader(R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", 8));
  refuses(withHeader(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8));
  refuses(withHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7));
  refuses(withHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8));
  refuses(withHeader(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8));
  refuses(withHeader(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 8)); // overflows
  auto missing = readSafetensors(folder.path() + "/none");
  EXPECT_FALSE(bool(missing));
  llvm::consumeError(missing.takeError());
}

/// Every byte belongs to one tensor: else a name stands for what another one was trained to be.
TEST(Safetensors, TensorsThatShareBytesOrLeaveSomeOut) {
  TemporaryFolder folder;
  auto said = [&](const std::string &header) {
    auto file = readSafetensors(folder.write("bad", little(header.size(), 8) + header + std::string(16, 'x')));
    return file ? "" : describe(file.takeError());
  };
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[)",
                    b = R"("b":{"dtype":"F32","shape":[2],"data_offsets":[)",
                    none = R"("none":{"dtype":"F32","shape":[0],"data_offsets":[4,4]})";
  EXPECT_EQ(said("{" + b + "8,16]}," + none + "," + a + "0,8]}}"), "");
  EXPECT_NE(said("{" + a + "0,8]}," + b + "0,8]}}").find("tensor 'b': it shares bytes with tensor 'a'"),
            std::string::npos);
  EXPECT_NE(said("{" + a + "0,8]}," + b + "4,12]}}").find("tensor 'b': it shares bytes with tensor 'a'"),
            std::string::npos);
  EXPECT_NE(said("{" + a + "0,8]}}").find("bytes of it belong to no tensor, from 8 on"), std::string::npos);
  EXPECT_NE(said("{" + a + "8,16]}}").find("bytes of it belong to no tensor, from 0 on"), std::string::npos);
  EXPECT_NE(said("{" + a + "0,8]}," + a + "8,16]}}").find("it has 'a' twice in one object"), std::string::npos);
}

Manifest sampleManifest() {
  Manifest m;
  m.tp = 2;
  m.dp = 2;
  m.microBatch = 4;
  m.gradAccum = 3;
  m.lossKind = "mean";
  m.weightsKind = "copy";
  m.lr.peak = 0.5;
  m.inputs = {{"ids", "i64", "tokens", {4, 16}, true, 100, {}},
              {"x", "i64", "data", {4, 3}, true, 7, {{"users", 9, {0, 2}}, {"items", 7, {}}}},
              {"labels", "i64", "labels", {4, 16}, true, 100, {}, {255}},
              {"temperature", "f32", "data", {}, false, 0, {}}};
  m.programs = {{"a.pb", "00"}};
  m.weights = {{"w0", "11"}, {"w1", "22"}};
  for (int64_t r = 0; r < 4; ++r)
    m.ranks.push_back({0, r % 2, r / 2});
  m.report["model"] = "m";
  return m;
}

TEST(Manifest, RoundTrip) {
  TemporaryFolder folder;
  std::string text = manifestText(sampleManifest());
  folder.write("manifest.json", text);
  auto read = readManifest(folder.path());
  ASSERT_TRUE(bool(read)) << describe(read.takeError());
  EXPECT_EQ(manifestText(*read), text);
  EXPECT_EQ(read->ranks[3].dp, 1);
  EXPECT_EQ(read->inputs[2].ignored, std::vector<int64_t>{255});
  EXPECT_FALSE(read->inputs[3].isBatched);
  EXPECT_EQ(read->inputs[1].bounds[0].places, (std::vector<int64_t>{0, 2}));
}

/// What a person or a disk changes is found: else another learning rate would be trained with.
TEST(Manifest, EveryChangedByteIsFound) {
  TemporaryFolder folder;
  const std::string text = manifestText(sampleManifest());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = char(changed[i] ^ (1 << i % 8));
    folder.write("manifest.json", changed);
    auto read = readManifest(folder.path());
    ASSERT_FALSE(bool(read)) << i << " in " << changed;
    llvm::consumeError(read.takeError());
  }
}

TEST(Manifest, ASchedule) {
  TemporaryFolder folder;
  EXPECT_EQ(manifestText(sampleManifest()).find("lr_schedule"), std::string::npos); // without one there are no keys
  Manifest manifest = sampleManifest();
  manifest.lr = {.kind = LrKind::InverseSqrt,
                 .peak = 0.5,
                 .minimum = 0.25,
                 .warmupSteps = 10,
                 .decaySteps = 20,
                 .warmupFrom = 0.125,
                 .warmupShape = WarmupShape::Log,
                 .isLate = true,
                 .warmupStairs = 3,
                 .decayStairs = 4,
                 .decayAfter = 0.5};
  const std::string text = manifestText(manifest);
  folder.write("manifest.json", text);
  auto read = readManifest(folder.path());
  ASSERT_TRUE(bool(read)) << describe(read.takeError());
  EXPECT_EQ(read->lr, manifest.lr);
  EXPECT_EQ(manifestText(*read), text);
  for (auto [from, to] : {std::pair("\"inverse-sqrt\"", "\"step\""),
                          {"\"inverse-sqrt\"", "4"},
                          {"\"log\"", "\"exp\""},
                          {"\"is_late\": true", "\"is_late\": 1"},
                          {"\"learning_rate\": 0.5", "\"learning_rate\": 1e999"},
                          {"\"learning_rate\": 0.5", "\"learning_rate\": -1"},
                          {"\"min_lr\": 0.25", "\"min_lr\": -0.25"},
                          {"\"warmup_steps\": 10", "\"warmup_steps\": 9223372036854775807"},
                          {"\"warmup_steps\": 10", "\"warmup_steps\": 1.5"},
                          {"\"decay_steps\": 20", "\"decay_steps\": -1"},
                          {"\"decay_stairs\": 4", "\"decay_stairs\": 1000000000001"}}) {
    std::string changed = text;
    ASSERT_NE(changed.find(from), std::string::npos) << from;
    folder.write("manifest.json", withDigest(changed.replace(changed.find(from), strlen(from), to)));
    auto wrong = readManifest(folder.path());
    EXPECT_FALSE(bool(wrong)) << to;
    if (!wrong) llvm::consumeError(wrong.takeError());
  }
}

TEST(Manifest, Inconsistent) {
  TemporaryFolder folder;
  auto refuses = [&](auto change) {
    Manifest m = sampleManifest();
    change(m);
    folder.write("manifest.json", manifestText(m));
    auto read = readManifest(folder.path());
    EXPECT_FALSE(bool(read));
    if (!read) llvm::consumeError(read.takeError());
  };
  refuses([](Manifest &m) { m.tp = 3; });
  refuses([](Manifest &m) { m.tp = 0; });
  refuses([](Manifest &m) { m.dp = int64_t(1) << 62; });
  refuses([](Manifest &m) { m.gradAccum = 0; });
  refuses([](Manifest &m) { m.ranks[1].tp = 0; });
  refuses([](Manifest &m) { m.ranks[1].program = 1; });
  refuses([](Manifest &m) { m.weights.pop_back(); });
  refuses([](Manifest &m) { m.inputs[0].shape[0] = 5; });
  refuses([](Manifest &m) { m.inputs[0].shape.clear(); });
  refuses([](Manifest &m) { m.inputs[1].bounds[0].places = {3}; });
  refuses([](Manifest &m) { m.inputs[1].bounds[0].places = {-1}; });
  refuses([](Manifest &m) { m.programs[0].path = "../a"; });
  refuses([](Manifest &m) { m.weights[0].path = "/etc/passwd"; });
  for (const char *text : {"", "{", "[]", "{\"format_version\": 99}", "{\"format_version\": 1}"}) {
    folder.write("manifest.json", text);
    auto read = readManifest(folder.path());
    EXPECT_FALSE(bool(read)) << text;
    if (!read) llvm::consumeError(read.takeError());
  }
}

} // namespace
} // namespace autotp
