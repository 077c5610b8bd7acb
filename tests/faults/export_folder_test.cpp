// A checkpoint leaves as a folder for transformers, if it is one of the config's model.
#include "tests/faults/command.h"

namespace autotp::test {
namespace {

constexpr const char *kConfig =
    R"({"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
  "num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 256, "rms_norm_eps": 1e-5, "hidden_act": "silu"})";

class ExportedFolder : public Commands {
protected:
  void SetUp() override {
    folder.write("config.json", kConfig);
    succeeds("autotp-model llama --config {}/config.json --seq 8 --batch 2 -o {}/model.onnx");
    succeeds("autotp-compile {}/model.onnx --tp 2 -o {}/plan");
    succeeds("autotp-run {}/plan --steps 1 --save {}/ckpt --save-weights {}/w.safetensors --quiet");
  }
};

/// What comes back into a model from the folder is what was trained.
TEST_F(ExportedFolder, HasTheWeightsUnderTheConfigsNames) {
  succeeds("autotp-plan export --checkpoint {}/ckpt --config {}/config.json -o {}/trained");
  EXPECT_EQ(contentsOf(folder.path() + "/trained/config.json"), kConfig);
  for (const char *source : {"trained", "w.safetensors"})
    succeeds(std::string("autotp-model llama --config {}/trained/config.json --seq 8 --batch 2 --weights {}/") +
             source + " -o {}/" + source + ".onnx");
  EXPECT_EQ(contentsOf(folder.path() + "/trained.onnx"), contentsOf(folder.path() + "/w.safetensors.onnx"));
  succeeds("autotp-plan export --checkpoint {}/ckpt --config {}/config.json -o {}/trained"); // over its own
}

TEST_F(ExportedFolder, IsRefusedForAnotherConfig) {
  fails(1, "autotp-plan export --checkpoint {}/ckpt -o {}/trained", "neither an .onnx nor a .safetensors");
  fails(1, "autotp-plan export --checkpoint {}/ckpt --config {}/config.json -o {}/x.safetensors", "it is for a folder");
  folder.write("wider.json", replaced(kConfig, "\"vocab_size\": 256", "\"vocab_size\": 300"));
  const Ended ended = run("autotp-plan export --checkpoint {}/ckpt --config {}/wider.json -o {}/trained");
  EXPECT_EQ(ended.code, 1);
  for (const char *name : {"model.embed_tokens.weight", "lm_head.weight"})
    EXPECT_NE(ended.err.find("weight '" + std::string(name) + "': the config gives it another shape"),
              std::string::npos)
        << ended.err;
  folder.write("deeper.json", replaced(kConfig, "\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2"));
  EXPECT_NE(run("autotp-plan export --checkpoint {}/ckpt --config {}/deeper.json -o {}/trained")
                .err.find("weight 'model.layers.1.mlp.up_proj.weight': the checkpoint lacks it"),
            std::string::npos);
  std::filesystem::create_directory(folder.path() + "/mine");
  folder.write("mine/notes.txt", "mine");
  fails(1, "autotp-plan export --checkpoint {}/ckpt --config {}/config.json -o {}/mine", "mine");
}

} // namespace
} // namespace autotp::test
