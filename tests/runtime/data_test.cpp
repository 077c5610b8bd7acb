/// \file Token sources: what they give, and the files that they refuse.
#include "runtime/base/small_floats.h"
#include "tests/runtime/data_files.h"

namespace autotp {
namespace {

using namespace test;

/// Positions and labels that the loss ignores.
TEST(Tokens, OtherInputs) {
  TemporaryFolder folder;
  Manifest m;
  m.inputs = {{"p", "i64", "positions", {1, 3}, false, 0, {}}};
  auto tokens = openTokens("synthetic:1", m);
  ASSERT_TRUE(bool(tokens));
  EXPECT_EQ(rowOf(**tokens, 5, 0, 3), (std::vector<int64_t>{0, 1, 2}));
  m.microBatch = 1;
  m.inputs = {{"y", "i64", "labels", {1, 3}, true, 5, {}, {255}}};
  auto ignored = openTokens(folder.write("t.txt", "\xff\xff\xff\xff\xff"), m);
  ASSERT_TRUE(bool(ignored)) << describe(ignored.takeError());
  EXPECT_EQ(rowOf(**ignored, 0, 0, 3), (std::vector<int64_t>{255, 255, 255}));
}

/// An input of any float has the numbers that one of f32 has.
TEST(Tokens, SyntheticFloats) {
  Manifest m;
  m.microBatch = 1;
  for (const char *dtype : {"f32", "f64", "f16", "bf16"})
    for (const char *role : {"data", "ones"})
      m.inputs.push_back({"x", dtype, role, {1, 4}, true, 0, {}});
  auto source = openTokens("synthetic:1", m);
  ASSERT_TRUE(bool(source));
  auto fill = [&](size_t input, auto *values) {
    std::span<std::byte> bytes(reinterpret_cast<std::byte *>(values), 4 * sizeof *values);
    EXPECT_FALSE(bool((*source)->fill(3, input, bytes)));
  };
  float singles[2][4];
  double doubles[2][4];
  uint16_t halves[2][4], brains[2][4];
  for (size_t role = 0; role < 2; ++role) {
    fill(role, singles[role]);
    fill(2 + role, doubles[role]);
    fill(4 + role, halves[role]);
    fill(6 + role, brains[role]);
  }
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NE(doubles[0][i], 0);
    EXPECT_EQ(singles[1][i], 1);
    EXPECT_EQ(doubles[1][i], 1);
    EXPECT_EQ(halfToDouble(halves[1][i]), 1);
    EXPECT_EQ(bf16ToFloat(brains[1][i]), 1);
  }
}

TEST(Tokens, Synthetic) {
  Manifest m = tokensManifest(50);
  auto one = openTokens("synthetic:3", m), again = openTokens("synthetic:3", m), other = openTokens("synthetic:4", m),
       bad = openTokens("synthetic:x", m);
  ASSERT_TRUE(one && again && other);
  EXPECT_FALSE(bool(bad));
  llvm::consumeError(bad.takeError());
  bool differs = false;
  for (int64_t row = 0; row < 20; ++row) {
    std::vector<int64_t> ids = rowOf(**one, row, 0), labels = rowOf(**one, row, 1);
    EXPECT_EQ(ids, rowOf(**again, row, 0));
    differs |= ids != rowOf(**other, row, 0);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(ids[i] >= 0 && ids[i] < 50);
      if (i > 0) EXPECT_EQ(ids[i], labels[i - 1]);
    }
  }
  EXPECT_TRUE(differs);
}

TEST(Tokens, FilesAndTheirErrors) {
  TemporaryFolder folder;
  auto text = openTokens(folder.write("t.txt", "abcdefghijklmnopqrstuvwxyz"), tokensManifest(256));
  ASSERT_TRUE(bool(text)) << describe(text.takeError());
  std::string words;
  for (int i = 0; i < 40; ++i)
    words += little(uint64_t(1000 + i), 2);
  auto binary = openTokens(folder.write("t.bin", words), tokensManifest(2000));
  ASSERT_TRUE(bool(binary)) << describe(binary.takeError());
  for (Source *source : {text->get(), binary->get()})
    for (int64_t row = 0; row < 50; ++row) {
      std::vector<int64_t> ids = rowOf(*source, row, 0), labels = rowOf(*source, row, 1);
      for (size_t i = 0; i < 4; ++i)
        EXPECT_EQ(labels[i], ids[0] + int64_t(i) + 1); // the window goes on, within the file
    }
  EXPECT_NE(saidOf(openTokens(folder.write("u.bin", words), tokensManifest(1010)))
                .find("u.bin: token 1010 at position 10 lies outside the model's vocabulary of 1010"),
            std::string::npos);
  for (auto [name, bytes] : {std::pair("odd.bin", "abc"), {"short.txt", "abcd"}, {"empty.txt", ""}}) {
    auto refused = openTokens(folder.write(name, bytes), tokensManifest(256));
    EXPECT_FALSE(bool(refused)) << name;
    if (!refused) llvm::consumeError(refused.takeError());
  }
  auto missing = openTokens(folder.path() + "/none", tokensManifest(256));
  EXPECT_FALSE(bool(missing));
  llvm::consumeError(missing.takeError());
}

} // namespace
} // namespace autotp
