// Weights by their names, from each kind of files that may hold them, and what is refused.
#include "runtime/base/error.h"
#include "runtime/base/small_floats.h"
#include "runtime/checkpoint/stored_weights.h"
#include "runtime/plan/safetensors.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

template <typename T> llvm::ArrayRef<uint8_t> bytesOf(const std::vector<T> &values) {
  return {reinterpret_cast<const uint8_t *>(values.data()), values.size() * sizeof(T)};
}

/// A file of one f32 vector for each name: its elements are `first`, `first` + 1, ..
void writeVectors(const std::string &path, const std::vector<std::string> &names, float first) {
  std::vector<std::vector<float>> contents;
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < names.size(); ++i)
    contents.push_back({first, first + 1, first + 2});
  for (size_t i = 0; i < names.size(); ++i)
    tensors.push_back({names[i], DType::F32, {3}, bytesOf(contents[i])});
  ASSERT_FALSE(bool(writeSafetensors(path, tensors)));
}

std::vector<float> elementsOf(const StoredWeights &weights, llvm::StringRef name) {
  const StoredWeights::Tensor *tensor = weights.find(name);
  if (!tensor) return {};
  std::vector<float> values(size_t(tensor->elements()));
  if (llvm::Error error = weights.read(*tensor, 0, values)) ADD_FAILURE() << describe(std::move(error));
  return values;
}

std::string errorOf(const std::string &path) {
  auto weights = StoredWeights::open("--weights", path);
  return weights ? "" : describe(weights.takeError());
}

using Floats = std::vector<float>;

TEST(StoredWeights, ConvertEachFloatType) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/x.safetensors";
  const std::vector<double> f64 = {1.5, -0.1};
  const std::vector<uint16_t> bf16 = {floatToBf16(3), floatToBf16(-0.5f)};
  std::vector<uint16_t> f16(1 << 16);
  for (size_t i = 0; i < f16.size(); ++i)
    f16[i] = uint16_t(i);
  const std::vector<int64_t> i64 = {7};
  ASSERT_FALSE(bool(writeSafetensors(path, {{"d", DType::F64, {2}, bytesOf(f64)},
                                            {"b", DType::BF16, {2, 1}, bytesOf(bf16)},
                                            {"h", DType::F16, {256, 256}, bytesOf(f16)},
                                            {"i", DType::I64, {1}, bytesOf(i64)}})));
  auto weights = StoredWeights::open("--weights", path);
  ASSERT_TRUE(bool(weights)) << describe(weights.takeError());
  EXPECT_EQ(elementsOf(**weights, "d"), (Floats{1.5f, float(-0.1)}));
  EXPECT_EQ(elementsOf(**weights, "b"), (Floats{3, -0.5f}));
  const Floats halves = elementsOf(**weights, "h");
  for (size_t i = 0; i < halves.size(); ++i)
    EXPECT_TRUE(std::isnan(halves[i]) ? std::isnan(halfToDouble(f16[i])) : halves[i] == float(halfToDouble(f16[i])))
        << i;
  EXPECT_FALSE(StoredWeights::isReadable((*weights)->find("i")->dtype));
  EXPECT_EQ((*weights)->find("j"), nullptr);
  EXPECT_FALSE((*weights)->isCheckpoint());
  EXPECT_EQ((*weights)->bytesRead(), 16u + 4 + (2 << 16));
  Floats part(1);
  ASSERT_FALSE(bool((*weights)->read(*(*weights)->find("b"), 1, part)));
  EXPECT_EQ(part, Floats{-0.5f});
}

TEST(StoredWeights, AnIndexAndItsFolderAreTheSame) {
  TemporaryFolder folder;
  writeVectors(folder.path() + "/one.safetensors", {"a", "c"}, 1);
  writeVectors(folder.path() + "/two.safetensors", {"b"}, 5);
  const std::string index =
      folder.write("model.safetensors.index.json", R"({"metadata": {"total_size": 36}, "weight_map":
    {"c": "one.safetensors", "b": "two.safetensors", "a": "one.safetensors"}})");
  for (const std::string &path : {index, folder.path()}) {
    auto weights = StoredWeights::open("--weights", path);
    ASSERT_TRUE(bool(weights)) << describe(weights.takeError());
    ASSERT_EQ((*weights)->tensors().size(), 3u);
    EXPECT_EQ((*weights)->path(), index);
    EXPECT_EQ((*weights)->paths().size(), 3u);
    EXPECT_EQ(elementsOf(**weights, "b"), (Floats{5, 6, 7}));
    EXPECT_EQ(elementsOf(**weights, "c"), (Floats{1, 2, 3}));
  }
  auto of = [&](const std::string &path) { return (*StoredWeights::open("--weights", path))->digest(); };
  EXPECT_EQ(of(index), of(folder.path()));
  EXPECT_NE(of(index), of(folder.path() + "/one.safetensors"));
}

TEST(StoredWeights, WhatAnIndexSaysWronglyIsNamedAtOnce) {
  TemporaryFolder folder;
  writeVectors(folder.path() + "/one.safetensors", {"a", "more"}, 1);
  const std::string index = folder.write("i.safetensors.index.json", R"({"weight_map":
    {"a": "one.safetensors", "absent": "one.safetensors", "b": "gone.safetensors"}})");
  const std::string text = errorOf(index);
  for (const char *part : {"it lacks tensor 'absent', which the index puts there",
                           "it holds tensor 'more', which the index does not put there",
                           "gone.safetensors: it cannot be read: No such file or directory"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(StoredWeights, AnIndexLeadsOutOfItsFolderNowhere) {
  TemporaryFolder folder;
  for (const char *file : {"../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", ""}) {
    const std::string text =
        errorOf(folder.write("i.safetensors.index.json", std::string(R"({"weight_map": {"a": ")") + file + "\"}}"));
    EXPECT_NE(text.find("is no name of a file beside the index"), std::string::npos) << text;
  }
  EXPECT_NE(errorOf(folder.write("i.json", R"({"weight_map": {"a": 3}})")).find("its file is no text"),
            std::string::npos);
  EXPECT_NE(errorOf(folder.write("i.json", "{}")).find("it has no 'weight_map'"), std::string::npos);
  EXPECT_NE(errorOf(folder.write("i.json", "{")).find("it is no JSON"), std::string::npos);
}

TEST(StoredWeights, AFolderMustSayWhichFile) {
  TemporaryFolder folder;
  EXPECT_NE(errorOf(folder.path()).find("it holds no .safetensors"), std::string::npos);
  EXPECT_NE(errorOf(folder.path() + "/none").find("there is no such file or folder"), std::string::npos);
  writeVectors(folder.path() + "/one.safetensors", {"a"}, 1);
  EXPECT_EQ(errorOf(folder.path()), "");
  writeVectors(folder.path() + "/two.safetensors", {"a"}, 1);
  EXPECT_NE(errorOf(folder.path()).find("it holds several .safetensors"), std::string::npos);
  writeVectors(folder.path() + "/model.safetensors", {"a", "b"}, 1);
  auto weights = StoredWeights::open("--weights", folder.path());
  ASSERT_TRUE(bool(weights)) << describe(weights.takeError());
  EXPECT_EQ((*weights)->tensors().size(), 2u);
}

} // namespace
} // namespace autotp::test
