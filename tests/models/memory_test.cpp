// What a plan says of memory is what a run takes: SmolLM2-135M's shape, one step of 512 tokens on one rank.
// And weights of that size become a plan's without lying in memory.
#include "tests/faults/command.h"
#include "tests/runtime/temporary_file.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <filesystem>
#include <fstream>
#include <map>

namespace autotp {
namespace {

constexpr const char *kConfig = R"({"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30,
  "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49152,
  "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true})";

using Memory = test::Commands;

TEST_F(Memory, ThePlannedArenaIsAllThereIs) {
  folder.write("config.json", kConfig);
  succeeds("autotp-model llama --config {}/config.json --no-weights --seq 512 --batch 1 -o {}/model.onnx");
  succeeds("autotp-compile {}/model.onnx --weights none -o {}/plan");
  llvm::json::Value memory = llvm::cantFail(llvm::json::parse(run("autotp-plan memory --json {}/plan").out));
  int64_t planned = *(*memory.getAsArray())[0].getAsObject()->getInteger("arena_bytes");
  test::Ended ended = run("autotp-run {}/plan --steps 1 --log {}/log");
  ASSERT_EQ(ended.code, 0) << ended.err;
  llvm::json::Value step = llvm::cantFail(llvm::json::parse(test::contentsOf(folder.path() + "/log")));
  EXPECT_EQ(planned, *step.getAsObject()->getInteger("memory_bytes"));
  EXPECT_GT(double(ended.peakBytes), 0.9 * double(planned));
  EXPECT_LE(double(ended.peakBytes), 1.15 * double(planned) + 60e6);
}

/// Without accumulation, gradients take the place of the activations that the backward has used.
TEST_F(Memory, GradientsLieAmongActivations) {
  folder.write("config.json", kConfig);
  succeeds("autotp-model llama --config {}/config.json --no-weights --seq 512 --batch 1 -o {}/model.onnx");
  auto planned = [&](const std::string &region, const std::string &plan) {
    llvm::json::Value memory = llvm::cantFail(llvm::json::parse(run("autotp-plan memory --json {}/" + plan).out));
    return double(*(*memory.getAsArray())[0].getAsObject()->getInteger(region));
  };
  succeeds("autotp-compile {}/model.onnx --weights none -o {}/alone");
  succeeds("autotp-compile {}/model.onnx --weights none --grad-accum 2 -o {}/summed");
  EXPECT_EQ(planned("gradients", "alone"), 0);
  EXPECT_GE(planned("gradients", "summed"), 4.0 * 134.5e6);
  EXPECT_LE(planned("gradients and activations", "alone"), 1.1 * planned("activations", "summed"));
}

/// Weights of this shape in bf16, all zeros: a file with holes.
void writeZeros(const std::string &path) {
  std::map<std::string, std::vector<int64_t>> shapes = {{"model.embed_tokens.weight", {49152, 576}},
                                                        {"model.norm.weight", {576}}};
  for (int layer = 0; layer < 30; ++layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".";
    shapes.insert({{name + "input_layernorm.weight", {576}},
                   {name + "post_attention_layernorm.weight", {576}},
                   {name + "self_attn.q_proj.weight", {576, 576}},
                   {name + "self_attn.k_proj.weight", {192, 576}},
                   {name + "self_attn.v_proj.weight", {192, 576}},
                   {name + "self_attn.o_proj.weight", {576, 576}},
                   {name + "mlp.gate_proj.weight", {1536, 576}},
                   {name + "mlp.up_proj.weight", {1536, 576}},
                   {name + "mlp.down_proj.weight", {576, 1536}}});
  }
  llvm::json::Object header;
  int64_t end = 0;
  for (const auto &[name, shape] : shapes) {
    const int64_t begin = end;
    end += 2 * shape[0] * (shape.size() > 1 ? shape[1] : 1);
    header[name] = llvm::json::Object{
        {"dtype", "BF16"}, {"shape", llvm::json::Array(shape)}, {"data_offsets", llvm::json::Array({begin, end})}};
  }
  const std::string text = llvm::formatv("{0}", llvm::json::Value(std::move(header)));
  std::ofstream(path, std::ios::binary) << test::little(text.size(), 8) << text;
  std::filesystem::resize_file(path, 8 + text.size() + uint64_t(end));
}

/// 269 MB of bf16 become 538 MB of f32, and neither ever lies in memory.
TEST_F(Memory, WeightsAreCopiedIntoAPlanInPieces) {
  folder.write("config.json", kConfig);
  writeZeros(folder.path() + "/weights.safetensors");
  succeeds("autotp-model llama --config {}/config.json --no-weights --seq 512 --batch 1 -o {}/model.onnx");
  for (const char *tp : {"1", "3"}) {
    test::Ended ended = run(std::string("autotp-compile {}/model.onnx --weights {}/weights.safetensors --force --tp ") +
                            tp + " -o {}/plan");
    ASSERT_EQ(ended.code, 0) << ended.err;
    EXPECT_NE(ended.out.find("weights     from "), std::string::npos) << ended.out;
    EXPECT_LE(double(ended.peakBytes), 250e6);
    std::filesystem::remove_all(folder.path() + "/plan");
  }
}

/// The plan holds no weight, and a run has no more in memory than its arena, though it reads 269 MB of bf16.
TEST_F(Memory, WeightsAreReadBySlicesFromTheUsersFiles) {
  folder.write("config.json", kConfig);
  writeZeros(folder.path() + "/weights.safetensors");
  succeeds("autotp-model llama --config {}/config.json --no-weights --seq 512 --batch 1 -o {}/model.onnx");
  const test::Ended without = run("autotp-compile {}/model.onnx --weights reference -o {}/plan");
  EXPECT_EQ(without.code, 1);
  EXPECT_NE(without.err.find("the model holds no numbers for these parameters:\n    "), std::string::npos)
      << without.err;
  const test::Ended compiled =
      run("autotp-compile {}/model.onnx --weights reference:{}/weights.safetensors -o {}/plan");
  ASSERT_EQ(compiled.code, 0) << compiled.err;
  EXPECT_LE(double(compiled.peakBytes), 150e6);
  uint64_t planBytes = 0;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder.path() + "/plan"))
    if (entry.is_regular_file()) planBytes += entry.file_size();
  EXPECT_LE(planBytes, 3000000u);
  llvm::json::Value memory = llvm::cantFail(llvm::json::parse(run("autotp-plan memory --json {}/plan").out));
  const int64_t planned = *(*memory.getAsArray())[0].getAsObject()->getInteger("arena_bytes");
  const test::Ended ended = run("autotp-run {}/plan --steps 1");
  ASSERT_EQ(ended.code, 0) << ended.err;
  // Two threads read a tensor each, at most the table and another one, beside pages of the file that are given back.
  EXPECT_LE(double(ended.peakBytes), 1.15 * double(planned) + 60e6);
}

} // namespace
} // namespace autotp
