// What a plan says of memory is what a run takes: SmolLM2-135M's shape, one step of 512 tokens on one rank.
#include "tests/faults/command.h"

#include "llvm/Support/JSON.h"

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

} // namespace
} // namespace autotp
