/// \file Where initializers lie is where their bytes are: read there, they are what the import reads.
#include "compiler/onnx/locate_initializers.h"
#include "tests/compiler/onnx/model_file.h"

namespace autotp {
namespace {

using namespace test;

std::string bytesAt(const LocatedTensor &tensor, size_t bytes) {
  std::ifstream stream(tensor.file, std::ios::binary);
  stream.seekg(std::streamoff(tensor.offset));
  std::string read(bytes, '?');
  stream.read(read.data(), std::streamsize(bytes));
  return read;
}

std::string bytesOf(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

onnx::TensorProto external(const std::string &name, const std::string &location, int64_t offset) {
  onnx::TensorProto tensor = floats(name, {2}, {});
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (auto [key, value] : {std::pair("location", location), {"offset", std::to_string(offset)}, {"length", "8"}}) {
    auto *entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return tensor;
}

TEST(LocateInitializers, FindsTheBytesOfEachSpelling) {
  ModelFile file;
  file.input("x", {2});
  file.node("Add", {"x", "field"}, {"y"});
  file.output("y");
  file.initializer(floats("field", {2}, {1.5f, -2}));
  onnx::TensorProto raw = floats("raw", {1, 3}, {});
  raw.set_raw_data(bytesOf({3, 4, 5}));
  file.initializer(raw);
  file.folder.write("w.bin", std::string(4, '.') + bytesOf({6, 7}));
  file.initializer(external("outside", "w.bin", 4));
  file.initializer(external("without", "autotp:none", 0));
  onnx::TensorProto half = floats("half", {2}, {}); // bit patterns that are spelled as integers
  half.set_data_type(onnx::TensorProto::FLOAT16);
  half.add_int32_data(15360);
  half.add_int32_data(16384);
  file.initializer(half);
  file.initializer(integers("ids", {3}));
  const std::string path = file.folder.write("model.onnx", file.proto.SerializeAsString());
  auto located = locateInitializers(path);
  ASSERT_TRUE(bool(located)) << describe(located.takeError());
  ASSERT_EQ(located->size(), 3u);
  EXPECT_EQ((*located)[0].name, "field");
  EXPECT_EQ(bytesAt((*located)[0], 8), bytesOf({1.5f, -2}));
  EXPECT_EQ((*located)[1].name, "raw");
  EXPECT_EQ((*located)[1].shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(bytesAt((*located)[1], 12), bytesOf({3, 4, 5}));
  EXPECT_EQ((*located)[2].name, "outside");
  EXPECT_EQ((*located)[2].file, file.folder.path() + "/w.bin");
  EXPECT_EQ(bytesAt((*located)[2], 8), bytesOf({6, 7}));
}

TEST(LocateInitializers, ATruncatedModelIsAnError) {
  ModelFile file;
  file.initializer(floats("w", {64}, std::vector<float>(64, 1)));
  const std::string whole = file.proto.SerializeAsString();
  const std::string path = file.folder.write("model.onnx", whole.substr(0, whole.size() - 9));
  auto located = locateInitializers(path);
  ASSERT_FALSE(bool(located));
  EXPECT_NE(describe(located.takeError()).find("truncated"), std::string::npos);
}

} // namespace
} // namespace autotp
