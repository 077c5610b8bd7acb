// What lies in the files: nodes, shapes, and where the numbers come from.
#include "runtime/base/error.h"
#include "runtime/base/normal_numbers.h"
#include "runtime/plan/safetensors.h"
#include "tests/models/scratch_folder.h"

#include <onnx/onnx_pb.h>

#include <cstring>
#include <map>

namespace autotp {
namespace {

using Counts = std::map<std::string, int>;

class DecoderExportTest : public ScratchFolder {
protected:
  onnx::ModelProto write(const DecoderExport &options) const {
    if (llvm::Error error = exportDecoder(options)) ADD_FAILURE() << describe(std::move(error));
    onnx::ModelProto model;
    std::ifstream stream(options.output, std::ios::binary);
    EXPECT_TRUE(model.ParseFromIstream(&stream));
    return model;
  }
  static std::string errorOf(const DecoderExport &options) {
    llvm::Error error = exportDecoder(options);
    return error ? describe(std::move(error)) : "";
  }
};

Counts countsOf(const onnx::ModelProto &model) {
  Counts counts;
  for (const auto &node : model.graph().node())
    ++counts[node.op_type()];
  return counts;
}

const onnx::TensorProto &find(const onnx::ModelProto &model, llvm::StringRef name) {
  for (const auto &tensor : model.graph().initializer())
    if (tensor.name() == name) return tensor;
  ADD_FAILURE() << "no initializer " << name.str();
  return onnx::TensorProto::default_instance();
}

std::vector<int64_t> shapeOf(const onnx::TensorProto &tensor) { return {tensor.dims().begin(), tensor.dims().end()}; }

std::vector<float> floatsOf(llvm::StringRef bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

TEST_F(DecoderExportTest, EveryNodeIsThere) {
  onnx::ModelProto model = write(tiny());
  EXPECT_EQ(model.ir_version(), 11);
  EXPECT_EQ(model.opset_import(0).version(), 23);
  EXPECT_EQ(countsOf(model), (Counts{{"Gather", 1},
                                     {"Pow", 5},
                                     {"ReduceMean", 5},
                                     {"Sqrt", 5},
                                     {"Reciprocal", 5},
                                     {"MatMul", 15},
                                     {"Reshape", 10},
                                     {"Transpose", 15},
                                     {"Slice", 9},
                                     {"Neg", 4},
                                     {"Concat", 4},
                                     {"Attention", 2},
                                     {"Sigmoid", 2},
                                     {"Add", 13},
                                     {"Mul", 22},
                                     {"Pad", 1},
                                     {"SoftmaxCrossEntropyLoss", 1}}));
}

TEST_F(DecoderExportTest, ParametersHaveTheirNamesAndShapes) {
  onnx::ModelProto model = write(tiny(", \"head_dim\": 16"));
  EXPECT_EQ(shapeOf(find(model, "model.embed_tokens.weight")), (std::vector<int64_t>{128, 64}));
  EXPECT_EQ(shapeOf(find(model, "model.layers.1.self_attn.q_proj.weight")), (std::vector<int64_t>{128, 64}));
  EXPECT_EQ(shapeOf(find(model, "model.layers.1.self_attn.k_proj.weight")), (std::vector<int64_t>{32, 64}));
  EXPECT_EQ(shapeOf(find(model, "model.layers.1.self_attn.v_proj.weight")), (std::vector<int64_t>{32, 64}));
  EXPECT_EQ(shapeOf(find(model, "model.layers.1.self_attn.o_proj.weight")), (std::vector<int64_t>{64, 128}));
  EXPECT_EQ(shapeOf(find(model, "model.layers.0.mlp.gate_proj.weight")), (std::vector<int64_t>{96, 64}));
  EXPECT_EQ(shapeOf(find(model, "model.layers.0.mlp.up_proj.weight")), (std::vector<int64_t>{96, 64}));
  EXPECT_EQ(shapeOf(find(model, "model.layers.0.mlp.down_proj.weight")), (std::vector<int64_t>{64, 96}));
  EXPECT_EQ(shapeOf(find(model, "model.layers.0.input_layernorm.weight")), (std::vector<int64_t>{64}));
  EXPECT_EQ(shapeOf(find(model, "lm_head.weight")), (std::vector<int64_t>{128, 64}));
  EXPECT_EQ(shapeOf(find(model, "rotary.cos")), (std::vector<int64_t>{1, 16, 1, 16}));
  EXPECT_EQ(model.graph().input(1).name(), "labels");
  EXPECT_EQ(model.graph().input(1).type().tensor_type().shape().dim(1).dim_value(), 16);
  EXPECT_EQ(model.graph().output(0).name(), "loss");
}

TEST_F(DecoderExportTest, ATiedHeadIsTheEmbeddingTransposed) {
  onnx::ModelProto model = write(tiny(", \"tie_word_embeddings\": true"));
  EXPECT_EQ(countsOf(model)["Transpose"], 15);
  for (const auto &tensor : model.graph().initializer())
    EXPECT_NE(tensor.name(), "lm_head.weight");
}

TEST_F(DecoderExportTest, DrawnWeightsFollowTheSeed) {
  DecoderExport options = tiny();
  options.seed = 5;
  onnx::ModelProto model = write(options);
  std::vector<float> embedding = floatsOf(find(model, "model.embed_tokens.weight").raw_data());
  EXPECT_EQ(embedding[77], float(0.02 * philoxNormal(5, 0, 77)));
  EXPECT_EQ(floatsOf(find(model, "model.norm.weight").raw_data()), std::vector<float>(64, 1.0f));
  EXPECT_EQ(floatsOf(find(model, "model.layers.0.self_attn.q_proj.weight").raw_data())[9],
            float(0.02 * philoxNormal(5, 2, 9)));
}

TEST_F(DecoderExportTest, LargeWeightsLieBeside) {
  DecoderExport options = tiny();
  onnx::ModelProto within = write(options);
  options.mostInlineBytes = 0;
  onnx::ModelProto beside = write(options);
  std::ifstream stream(path("model.onnx.data"), std::ios::binary);
  std::string data{std::istreambuf_iterator<char>(stream), {}};
  for (const char *name : {"model.embed_tokens.weight", "model.layers.0.input_layernorm.weight", "lm_head.weight"}) {
    const onnx::TensorProto &tensor = find(beside, name);
    ASSERT_EQ(tensor.external_data_size(), 3);
    EXPECT_EQ(tensor.external_data(0).value(), "model.onnx.data");
    size_t offset = std::stoul(tensor.external_data(1).value()), length = std::stoul(tensor.external_data(2).value());
    EXPECT_EQ(offset % 4096, 0u);
    EXPECT_EQ(data.substr(offset, length), find(within, name).raw_data()) << name;
  }
}

/// Nobody has named that file.
TEST_F(DecoderExportTest, WeightsBesideReplaceNothing) {
  DecoderExport options = tiny();
  options.mostInlineBytes = 0;
  std::ofstream(path("model.onnx.data")) << "mine";
  EXPECT_NE(errorOf(options).find("model.onnx.data: it exists"), std::string::npos);
  std::string kept;
  std::ifstream(path("model.onnx.data")) >> kept;
  EXPECT_EQ(kept, "mine");
  EXPECT_FALSE(llvm::sys::fs::exists(path("model.onnx")));
}

TEST_F(DecoderExportTest, WithoutWeightsShapesRemain) {
  DecoderExport options = tiny();
  options.hasWeights = false;
  onnx::ModelProto model = write(options);
  const onnx::TensorProto &tensor = find(model, "lm_head.weight");
  EXPECT_EQ(tensor.data_location(), onnx::TensorProto::EXTERNAL);
  ASSERT_EQ(tensor.external_data_size(), 1);
  EXPECT_EQ(tensor.external_data(0).key(), "location");
  EXPECT_EQ(tensor.external_data(0).value(), "autotp:none");
  EXPECT_FALSE(tensor.has_raw_data());
  EXPECT_EQ(find(model, "rotary.cos").raw_data().size(), 16u * 8 * 4);
}

/// Writes a file with every parameter of the tiny model as torch holds it: element e of tensor t is (t * 7 + e) % 256 /
/// 8, as bf16.
void writeTorchWeights(const std::string &path, const onnx::ModelProto &model, const std::string &without,
                       const std::string &extra) {
  std::vector<NamedTensor> tensors;
  std::vector<std::vector<uint8_t>> bytes;
  for (const auto &tensor : model.graph().initializer()) {
    if (!llvm::StringRef(tensor.name()).endswith(".weight") || tensor.name() == without) continue;
    const std::vector<int64_t> shape = shapeOf(tensor);
    size_t elements = tensor.raw_data().size() / 4;
    bytes.emplace_back();
    for (size_t e = 0; e < elements; ++e) {
      float value = float((bytes.size() * 7 + e) % 256) / 8;
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      bytes.back().push_back(uint8_t(bits >> 16));
      bytes.back().push_back(uint8_t(bits >> 24));
    }
    tensors.push_back({tensor.name(), DType::BF16, shape, {}});
  }
  for (size_t i = 0; i < tensors.size(); ++i)
    tensors[i].bytes = bytes[i];
  if (!extra.empty()) tensors.push_back({extra, DType::BF16, {64}, llvm::makeArrayRef(bytes.back()).take_front(128)});
  ASSERT_FALSE(bool(writeSafetensors(path, tensors)));
}

TEST_F(DecoderExportTest, WeightsAreThoseOfTheFile) {
  DecoderExport options = tiny();
  writeTorchWeights(path("w.safetensors"), write(options), "", "model.layers.0.self_attn.rotary_emb.inv_freq");
  options.weights = path("w.safetensors");
  onnx::ModelProto model = write(options);
  std::vector<float> embedding = floatsOf(find(model, "model.embed_tokens.weight").raw_data()); // the 1st parameter
  EXPECT_EQ(embedding[70], float((7 + 70) % 256) / 8);
  std::vector<float> keys =
      floatsOf(find(model, "model.layers.0.self_attn.k_proj.weight").raw_data()); // the 4th, [16, 64]
  EXPECT_EQ(keys[5 * 64 + 3], float((28 + 5 * 64 + 3) % 256) / 8);
}

TEST_F(DecoderExportTest, HalvesAreWidened) {
  DecoderExport options = tiny();
  writeTorchWeights(path("w.safetensors"), write(options), "model.norm.weight", "");
  SafetensorsFile file = llvm::cantFail(readSafetensors(path("w.safetensors")));
  std::vector<uint8_t> norm(128, 0);
  const uint16_t halves[] = {0x3C00, 0xC200, 0x0001, 0x7BFF}; // 1, -3, the least and the greatest
  std::memcpy(norm.data(), halves, sizeof halves);
  file.tensors.push_back({"model.norm.weight", DType::F16, {64}, norm});
  ASSERT_FALSE(bool(writeSafetensors(path("v.safetensors"), file.tensors)));
  options.weights = path("v.safetensors");
  std::vector<float> found = floatsOf(find(write(options), "model.norm.weight").raw_data());
  EXPECT_EQ(std::vector<float>(found.begin(), found.begin() + 5),
            (std::vector<float>{1, -3, 5.9604644775390625e-8f, 65504, 0}));
}

TEST_F(DecoderExportTest, WeightsThatDoNotFitAreNamed) {
  DecoderExport options = tiny();
  writeTorchWeights(path("w.safetensors"), write(options), "model.norm.weight", "model.layers.0.self_attn.q_proj.bias");
  options.weights = path("w.safetensors");
  EXPECT_EQ(errorOf(options),
            "error: " + options.weights +
                ": tensor 'model.norm.weight': is missing\n  do:  give the whole model: its folder, or the index of "
                "its files\n"
                "error: " +
                options.weights +
                ": tensor 'model.layers.0.self_attn.q_proj.bias': the model of this config has no such parameter");
  options = tiny();
  writeTorchWeights(path("w.safetensors"), write(options), "", "");
  options = tiny(", \"tie_word_embeddings\": true, \"head_dim\": 16");
  options.weights = path("w.safetensors");
  EXPECT_NE(
      errorOf(options).find(
          "tensor 'model.layers.0.self_attn.q_proj.weight': its shape is [64, 64], but the config gives [128, 64]"),
      std::string::npos);
}

TEST_F(DecoderExportTest, AFailedExportLeavesNothing) {
  DecoderExport options = tiny();
  options.weights = path("absent.safetensors");
  EXPECT_NE(errorOf(options), "");
  options = tiny();
  options.seq = 1;
  EXPECT_EQ(errorOf(options), "error: --seq: 1 is not from 2 to 1048576");
  options = tiny();
  ASSERT_FALSE(llvm::sys::fs::create_directory(options.output)); // a rename to it fails, after all is written
  EXPECT_NE(errorOf(options), "");
  ASSERT_FALSE(llvm::sys::fs::remove(options.output));
  std::error_code code;
  int files = 0;
  for (llvm::sys::fs::directory_iterator it(llvm::sys::path::parent_path(options.output), code), end;
       !code && it != end; it.increment(code))
    ++files;
  EXPECT_EQ(files, 1) << "only config.json";
}

} // namespace
} // namespace autotp
