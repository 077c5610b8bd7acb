/// \file Files that are no model, and tensors that lie about themselves: one clear line each.
#include "tests/compiler/onnx/model_file.h"

#include <sys/stat.h>

namespace autotp {
namespace {

using namespace test;
using testing::Test;

/// y = sum(x * w), with w as the test makes it.
class Weighted : public Test {
protected:
  Weighted() {
    file.input("x", {4, 8});
    file.node("Mul", {"x", "w"}, {"m"});
    file.node("ReduceSum", {"m"}, {"y"}, {intAttribute("keepdims", 0)});
    file.output("y");
  }
  void external(const std::string &location, const std::string &offset = "0", const std::string &length = "32") {
    weight = floats("w", {8}, {});
    weight.set_data_location(onnx::TensorProto::EXTERNAL);
    for (auto [key, value] : {std::pair("location", location), {"offset", offset}, {"length", length}}) {
      auto *entry = weight.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
  }
  void refuses(const std::string &what) {
    file.proto.mutable_graph()->clear_initializer();
    file.initializer(weight);
    std::string text = refusal(file.import());
    EXPECT_NE(text.find("tensor 'w': "), std::string::npos) << text;
    EXPECT_NE(text.find(what), std::string::npos) << text;
  }
  ModelFile file;
  onnx::TensorProto weight;
};

TEST_F(Weighted, ExternalDataStaysBesideTheModel) {
  file.folder.write("w.bin", std::string(32, '\0'));
  std::filesystem::create_symlink("w.bin", file.folder.path() + "/link.bin");
  external("w.bin");
  file.initializer(weight);
  auto good = file.import();
  EXPECT_TRUE(bool(good)) << describe(good.takeError());
  for (const char *outside : {"../w.bin", "a/../../w.bin", "/etc/passwd", ""}) {
    external(outside);
    refuses("outside the model's folder");
  }
  external("link.bin");
  refuses("'link.bin' is a link");
  std::filesystem::create_hard_link(file.folder.write("other.bin", std::string(32, '\0')),
                                    file.folder.path() + "/hard.bin");
  external("hard.bin");
  refuses("'hard.bin' is a hard link");
  external(std::string("w.bin\0.txt", 10));
  refuses("the name of its data file 'w.bin\\x00.txt' holds a NUL");
  ASSERT_EQ(mkfifo((file.folder.path() + "/fifo.bin").c_str(), 0600), 0);
  external("fifo.bin");
  refuses("'fifo.bin' is no regular file");
  external("none.bin");
  refuses("'none.bin' cannot be read");
  external(".");
  refuses("'.'");
  for (const char *offset : {"8", "33", "18446744073709551600"}) {
    external("w.bin", offset);
    refuses("'w.bin', which has 32");
  }
  external("w.bin", "0", "16");
  refuses("'w.bin'");
  external("w.bin", "-1");
  refuses("offset '-1' is no number");
  external("w.bin", "0", "99999999999999999999999");
  refuses("is no number");
}

TEST_F(Weighted, SizesAndTypesOfTensors) {
  weight = floats("w", {8}, {1, 2, 3});
  refuses("it has 3 values for f32[8]");
  weight = floats("w", {8}, {});
  weight.set_raw_data(std::string(31, '\0'));
  refuses("it has 31 bytes for f32[8]");
  weight = floats("w", {-8}, {});
  refuses("its shape is negative or too large");
  weight = floats("w", {int64_t(1) << 62, 4}, {});
  refuses("its shape is negative or too large");
  weight = floats("w", {1}, {1});
  weight.set_data_type(99);
  refuses("element type 99 of ONNX is not supported");
  weight.set_data_type(onnx::TensorProto::STRING);
  refuses("is not supported");
  external("autotp:none");
  weight.set_data_type(onnx::TensorProto::INT64);
  refuses("only float tensors of rank 1 and more may lack contents");
}

TEST(HostileFile, NoModel) {
  TemporaryFolder folder;
  ModelFile good;
  good.input("x", {4});
  good.node("Neg", {"x"}, {"y"});
  good.output("y");
  std::string bytes = good.proto.SerializeAsString();
  for (const std::string &bad :
       {std::string(), std::string("no model"), std::string(4096, '\xff'), bytes.substr(0, bytes.size() / 2)}) {
    std::string path = folder.write("bad.onnx", bad), text = refusal(importModel(path, {}));
    EXPECT_NE(text.find(path), std::string::npos) << text;
  }
  EXPECT_NE(refusal(importModel(folder.path() + "/none.onnx", {})).find("none.onnx: it cannot be read"),
            std::string::npos);
  EXPECT_NE(refusal(importModel(folder.path(), {})).find("training_model.onnx: it cannot be read"), std::string::npos);
}

/// Whatever a byte becomes, import ends with a value. A change may leave a good model.
TEST(HostileFile, EveryByteChangedAndEveryLength) {
  TemporaryFolder folder;
  ModelFile good;
  good.input("x", {4, 2});
  good.initializer(integers("s", {2, 4}));
  good.initializer(floats("w", {2, 2}, {1, 2, 3, 4}));
  good.node("MatMul", {"x", "w"}, {"m"});
  good.node("Reshape", {"m", "s"}, {"r"});
  good.node("Softmax", {"r"}, {"p"}, {intAttribute("axis", 0)});
  good.output("p");
  std::string bytes = good.proto.SerializeAsString();
  int refused = 0;
  auto tries = [&](const std::string &bad) {
    auto model = importModel(folder.write("bad.onnx", bad), {});
    if (model) return;
    ++refused;
    EXPECT_TRUE(llvm::StringRef(describe(model.takeError())).startswith("error: "));
  };
  for (size_t k = 0; k < bytes.size(); ++k) {
    tries(bytes.substr(0, k));
    for (int flip : {0x01, 0x80, 0xff}) {
      std::string bad = bytes;
      bad[k] = char(bad[k] ^ flip);
      tries(bad);
    }
  }
  EXPECT_GT(refused, int(bytes.size()));
}

} // namespace
} // namespace autotp
