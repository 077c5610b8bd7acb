// Which files a model's weights are read from, and how their mistakes are named.
#include "models/decoder/weight_files.h"
#include "runtime/base/error.h"
#include "tests/models/scratch_folder.h"

namespace autotp {
namespace {

class WeightFilesTest : public ScratchFolder {
protected:
  /// A file of one tensor of the name.
  void writeShard(const std::string &file, const std::string &tensor, float value = 0) const {
    const llvm::ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(&value), sizeof value);
    ASSERT_FALSE(bool(writeSafetensors(path(file), {{tensor, DType::F32, {1}, bytes}})));
  }
  void writeIndex(const std::string &map) const {
    std::ofstream(path("model.safetensors.index.json")) << R"({"metadata": {}, "weight_map": {)" << map << "}}";
  }
  /// The problems of opening it; "" if there are none. The folder's name is left out.
  std::string errorOf(const std::string &name) const {
    auto files = WeightFiles::open(path(name));
    std::string text = files ? "" : describe(files.takeError());
    for (size_t at; (at = text.find(path("x").substr(0, path("x").size() - 1))) != std::string::npos;)
      text.erase(at, path("x").size() - 1);
    return text;
  }
  static float valueOf(const WeightFiles &files, const std::string &name) {
    return *reinterpret_cast<const float *>(files.tensors().at(name).tensor->bytes.data());
  }
};

TEST_F(WeightFilesTest, AnIndexNamesTheFilesBesideIt) {
  writeShard("one.safetensors", "a", 1);
  writeShard("two.safetensors", "b", 2);
  writeIndex(R"("a": "one.safetensors", "b": "two.safetensors")");
  for (const char *name : {"", "model.safetensors.index.json"}) {
    auto files = WeightFiles::open(path(name));
    ASSERT_TRUE(bool(files)) << describe(files.takeError());
    EXPECT_EQ(files->tensors().size(), 2u);
    EXPECT_EQ(valueOf(*files, "b"), 2);
    EXPECT_EQ(files->tensors().at("a").file, path("one.safetensors"));
    EXPECT_EQ(files->files().size(), 3u);
  }
}

TEST_F(WeightFilesTest, TheIndexDecidesBetweenFiles) {
  writeShard("one.safetensors", "a", 1);
  writeShard("two.safetensors", "a", 2);
  writeIndex(R"("a": "two.safetensors", "b": "one.safetensors")");
  EXPECT_NE(errorOf("").find("tensor 'b'"), std::string::npos);
  const float values[] = {1, 3};
  const llvm::ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(values), sizeof values);
  ASSERT_FALSE(bool(writeSafetensors(path("one.safetensors"), {{"a", DType::F32, {1}, bytes.take_front(4)},
                                                               {"b", DType::F32, {1}, bytes.drop_front(4)}})));
  auto files = WeightFiles::open(path(""));
  ASSERT_TRUE(bool(files)) << describe(files.takeError());
  EXPECT_EQ(valueOf(*files, "a"), 2);
  EXPECT_EQ(valueOf(*files, "b"), 3);
}

TEST_F(WeightFilesTest, AFolderPrefersTheWholeFile) {
  writeShard("one.safetensors", "a", 1);
  writeIndex(R"("a": "one.safetensors")");
  writeShard("model.safetensors", "a", 3);
  auto files = WeightFiles::open(path(""));
  ASSERT_TRUE(bool(files)) << describe(files.takeError());
  EXPECT_EQ(valueOf(*files, "a"), 3);
}

TEST_F(WeightFilesTest, AllMistakesAreNamedAtOnce) {
  writeShard("one.safetensors", "a");
  writeIndex(R"("a": "one.safetensors", "b": "one.safetensors", "c": "gone.safetensors", "d": "lost.safetensors")");
  const std::string error = errorOf("");
  EXPECT_NE(error.find("gone.safetensors"), std::string::npos) << error;
  EXPECT_NE(error.find("lost.safetensors"), std::string::npos) << error;
  EXPECT_NE(error.find("tensor 'b': it is not in 'one.safetensors', where it should be"), std::string::npos) << error;
  EXPECT_EQ(llvm::StringRef(error).count("error: "), 3u) << error;
}

TEST_F(WeightFilesTest, AnIndexLeadsToNoOtherFolder) {
  writeIndex(R"("a": "../x.safetensors", "b": "/etc/passwd", "c": "..", "d": 7, "e": "")");
  const std::string error = errorOf("");
  for (const char *what : {"tensor 'a': its file '../x.safetensors' has no plain name",
                           "tensor 'b': its file '/etc/passwd' has no plain name", "tensor 'c'",
                           "tensor 'd': its file is no string", "tensor 'e'"})
    EXPECT_NE(error.find(what), std::string::npos) << what << "\n" << error;
}

TEST_F(WeightFilesTest, WhatIsNoModelIsNamed) {
  EXPECT_EQ(errorOf(""), "error: : it holds neither model.safetensors nor model.safetensors.index.json\n"
                         "  do:  give the .safetensors file, or the index of several");
  std::ofstream(path("config.json")) << "{}";
  EXPECT_EQ(errorOf("config.json"), "error: config.json: it has no 'weight_map'\n"
                                    "  do:  give a .safetensors file, or the index of several");
  std::ofstream(path("broken.json")) << "{";
  EXPECT_NE(errorOf("broken.json").find("broken.json: it is no JSON"), std::string::npos);
  EXPECT_NE(errorOf("absent.safetensors").find("absent.safetensors"), std::string::npos);
}

} // namespace
} // namespace autotp
