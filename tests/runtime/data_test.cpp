/// \file Token sources: what they give, and the files that they refuse.
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
