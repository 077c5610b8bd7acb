// Plans whose weights come from a file are those whose weights come from the graph, byte for byte: whatever names and
// orientations the file has, it is filled rightly or refused.
#include "runtime/base/error.h"
#include "runtime/checkpoint/checkpoint_reader.h"
#include "runtime/checkpoint/stored_weights.h"
#include "tests/equivalence/checkpoints.h"
#include "tests/equivalence/torch_weights.h"
#include "tests/fixtures/plan_files.h"
#include "tests/fixtures/run_fixture.h"
#include "tests/runtime/temporary_file.h"

#include "llvm/Support/Path.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

/// The models and fixtures of which the graph holds every parameter whole. T5 is left out:
/// nothing in its graph says that the module calls the table "shared"; and nanogpt, of which the names of modules are lost.
constexpr const char *kModels[] = {
    "models/bert",        "models/bloom",     "models/falcon",     "models/gpt2", "models/gpt_neox",
    "models/llama",       "models/mistral",   "models/mixtral",    "models/mlp",  "models/modernbert",
    "models/olmo2",       "models/opt",       "models/phi",        "models/phi3", "models/qwen2",
    "models/qwen3",       "models/two_tower", "models/vit",        "llama",       "llama-ts",
    "llama-op23",         "llama-hf23",       "llama-tied-logits", "qwen3",       "mlp",
    "ort-artifacts-llama"};

class WeightFiles {
public:
  explicit WeightFiles(std::string fixture) : fixture_(std::move(fixture)), expected_(readExpected(fixture_)) {}

  std::string path(const std::string &name) const { return folder_.path() + "/" + name; }

  /// A plan that is filled from `weights`, a name in this folder or a path; empty: from the graph.
  llvm::Error compile(const std::string &plan, int tp, const std::string &weights = "", RunAs runAs = {},
                      const std::string &ignored = "") const {
    CompileOptions options = optionsOf(fixture_, expected_, {tp, 1, 0, 1}, runAs);
    options.weights.ignored = ignored;
    if (!weights.empty()) {
      options.weights.path = weights[0] == '/' ? weights : path(weights);
      auto stored = StoredWeights::open("--weights", options.weights.path);
      if (!stored) return stored.takeError();
      options.weights.stored = std::move(*stored);
    }
    return compileTo(path(plan), options).takeError();
  }

  void expectCompiles(const std::string &plan, int tp, const std::string &weights = "", RunAs runAs = {}) const {
    if (llvm::Error error = compile(plan, tp, weights, runAs)) FAIL() << describe(std::move(error));
  }

  void expectSame(const std::string &plan, const std::string &other) const { expectSamePlans(path(plan), path(other)); }

  /// The weights of plan "one", of tp 1, as the module has them.
  TorchWeights torch() const { return torchWeights(fixture_, path("one")); }

  std::string errorOf(const TorchWeights &weights) const {
    weights.write(path("changed.safetensors"));
    llvm::Error error = compile("refused", 1, "changed.safetensors");
    return error ? describe(std::move(error)) : "";
  }

private:
  const std::string fixture_;
  const Expected expected_;
  const TemporaryFolder folder_;
};

class EveryModel : public testing::TestWithParam<const char *> {};

TEST_P(EveryModel, IsFilledUnderTheModulesNames) {
  const WeightFiles files(GetParam());
  files.expectCompiles("one", 1);
  files.expectCompiles("copied", 2);
  const TorchWeights torch = files.torch();
  ASSERT_TRUE(torch.isWhole);
  torch.write(files.path("torch.safetensors"));
  files.expectCompiles("filled", 2, "torch.safetensors");
  files.expectSame("copied", "filled");
}

TEST_P(EveryModel, IsFilledUnderTheGraphsNames) {
  const WeightFiles files(GetParam());
  files.expectCompiles("one", 1);
  files.expectCompiles("copied", 2);
  files.expectCompiles("filled", 2, "one/weights/tp_0000.safetensors");
  files.expectSame("copied", "filled");
}

INSTANTIATE_TEST_SUITE_P(All, EveryModel, testing::ValuesIn(kModels));

void expectParts(const std::string &text, const std::vector<std::string> &parts) {
  for (const std::string &part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "without: " << part << "\n" << text;
}

/// The graph's numbers are others than the file's, so that it shows where a weight comes from.
TEST(Weights, AreTheFilesAndNotTheGraphs) {
  const WeightFiles files("models/phi3");
  files.expectCompiles("one", 1);
  TorchWeights torch = files.torch();
  float next = 0.5f; // a number of few digits, which bf16 holds
  for (auto &[name, weight] : torch.byName)
    for (float &value : weight.values)
      value = next = next >= 2 ? 0.0078125f : next + 0.0078125f;
  torch.write(files.path("f32.safetensors"));
  torch.write(files.path("bf16.safetensors"), DType::BF16);
  files.expectCompiles("from-f32", 1, "f32.safetensors");
  files.expectCompiles("from-bf16", 1, "bf16.safetensors");
  files.expectSame("from-f32", "from-bf16");
  const TorchWeights filled = torchWeights("models/phi3", files.path("from-f32"));
  for (const auto &[name, weight] : torch.byName)
    EXPECT_EQ(filled.byName.at(name).values, weight.values) << name;
}

/// Frozen parameters are constants of the programs, and small floats are rounded from what the file has.
TEST(Weights, OfFrozenParametersAndInBf16AreTheGraphsToo) {
  const WeightFiles files("models/phi3");
  files.expectCompiles("one", 1);
  files.torch().write(files.path("torch.safetensors"));
  RunAs frozen, small, both;
  frozen.freeze = both.freeze = "mlp|embed";
  small.dtype = both.dtype = DType::BF16;
  for (const RunAs &runAs : {frozen, small, both}) {
    const std::string end = runAs.freeze + (runAs.dtype ? "-bf16" : "");
    files.expectCompiles("copied" + end, 2, "", runAs);
    files.expectCompiles("filled" + end, 2, "torch.safetensors", runAs);
    files.expectSame("copied" + end, "filled" + end);
  }
  TorchWeights changed = files.torch();
  changed.byName.at("model.embed_tokens.weight").values[5] += 1;
  changed.write(files.path("changed.safetensors"));
  files.expectCompiles("changed", 2, "changed.safetensors", frozen);
  EXPECT_NE(programsAndWeights(files.path("changed")), programsAndWeights(files.path("filled" + frozen.freeze)));
  changed.byName.erase("model.embed_tokens.weight");
  changed.byName.erase("model.norm.weight");
  changed.write(files.path("lacking.safetensors"));
  llvm::Error error = files.compile("lacking", 2, "lacking.safetensors", frozen);
  ASSERT_TRUE(bool(error));
  expectParts(describe(std::move(error)),
              {"model.model.embed_tokens.weight [128, 32]", "model.model.norm.weight [32]"});
}

TEST(Weights, OfACheckpointThatWasChangedAreRefused) {
  const SavedPlan trained("models/phi3", {1, 1, 0, 1});
  const std::string checkpoint = trained.saved(1);
  std::fstream file(checkpoint + "/weights-00000.safetensors", std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-1, std::ios::end).put('\1');
  file.close();
  llvm::Error error = WeightFiles("models/phi3").compile("refused", 1, checkpoint);
  ASSERT_TRUE(bool(error));
  expectParts(describe(std::move(error)), {"weights-00000.safetensors: it is not as it was written"});
}

TEST(Weights, OfACheckpointAreTakenAlone) {
  for (const char *model : {"models/phi3", "models/gpt2"}) {
    const SavedPlan trained(model, {2, 1, 0, 1});
    const std::string checkpoint = trained.saved(2);
    const WeightFiles files(model);
    files.expectCompiles("filled", 1, checkpoint);
    files.expectCompiles("newest", 1, llvm::sys::path::parent_path(checkpoint).str());
    files.expectSame("filled", "newest");
    const SafetensorsFile held = llvm::cantFail(readSafetensors(files.path("filled/weights/tp_0000.safetensors")));
    const auto reader = llvm::cantFail(CheckpointReader::open(checkpoint));
    for (const NamedTensor &tensor : held.tensors) {
      const Checkpoint::Tensor *saved = reader->find(tensor.name, kWeights);
      ASSERT_TRUE(saved) << tensor.name;
      const std::vector<float> values = llvm::cantFail(reader->readWhole(*saved));
      EXPECT_EQ(tensor.bytes, llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(values.data()),
                                                      values.size() * sizeof(float)))
          << tensor.name;
    }
  }
}

TEST(Weights, AllThatDoesNotFitIsNamedAtOnce) {
  const WeightFiles files("models/qwen2");
  files.expectCompiles("one", 1);
  TorchWeights torch = files.torch();
  torch.byName.erase("model.layers.1.self_attn.q_proj.weight");
  torch.byName["model.layers.2.self_attn.q_proj.weight"] = {{2}, {0, 0}};
  torch.byName["model.norm.weight"] = {{3}, {0, 0, 0}};
  std::swap(torch.byName["model.layers.0.mlp.up_proj.weight"].shape[0],
            torch.byName["model.layers.0.mlp.up_proj.weight"].shape[1]);
  torch.byName["model.rotary_emb.inv_freq"] = {{2}, {0, 0}};
  const std::string text = files.errorOf(torch);
  expectParts(text,
              {"it has no tensor for these parameters:\n    ",
               " (model.model.layers.1.self_attn.q_proj.weight) [48, 48]\n", "these have another shape in it:\n    ",
               "model.norm.weight [48]: model.norm.weight is [3]", "(model.model.layers.0.mlp.up_proj.weight) [48, ",
               "the graph has no parameter for these tensors:\n    model.layers.2.self_attn.q_proj.weight\n"});
  EXPECT_EQ(text.find("inv_freq"), std::string::npos) << text;
}

TEST(Weights, WhatHasNoPlaceMayBeIgnored) {
  const WeightFiles files("models/qwen2");
  files.expectCompiles("one", 1);
  TorchWeights torch = files.torch();
  torch.byName["pooler.dense.weight"] = {{2}, {1, 2}};
  torch.byName["score.weight"] = {{1}, {3}};
  torch.write(files.path("more.safetensors"));
  llvm::Error some = files.compile("some", 1, "more.safetensors", {}, "pooler");
  ASSERT_TRUE(bool(some));
  const std::string text = describe(std::move(some));
  expectParts(text, {"the graph has no parameter for these tensors:\n    score.weight\n", "--weights-ignore"});
  EXPECT_EQ(text.find("pooler"), std::string::npos) << text;
  llvm::Error all =
      files.compile("all", 1, "more.safetensors", {}, "^pooler|^score|q_proj"); // which fills all the same
  ASSERT_FALSE(bool(all)) << describe(std::move(all));
  EXPECT_EQ(programsAndWeights(files.path("all")), programsAndWeights(files.path("one")));
}

TEST(Weights, ATiedTableMayBeThereTwiceWithTheSameNumbers) {
  const WeightFiles files("llama-tied-logits");
  files.expectCompiles("one", 1);
  TorchWeights torch = files.torch();
  torch.byName["lm_head.weight"] = torch.byName.at("model.embed_tokens.weight");
  EXPECT_EQ(files.errorOf(torch), "");
  torch.byName["model.embed_tokens.weight"].values[7] += 1;
  expectParts(files.errorOf(torch), {"it has several names of these tied parameters, with different numbers:\n    "
                                     "model.lm_head.weight: lm_head.weight, model.embed_tokens.weight\n"});
  torch.byName.erase("model.embed_tokens.weight"); // then the head's name alone is found
  EXPECT_EQ(files.errorOf(torch), "");
}

TEST(Weights, FoldedFormulasAndLookedUpRowsAreRefused) {
  for (const auto &[model, what] :
       std::map<std::string, std::string>{{"models/gemma2", "the graph holds a formula of these parameters"},
                                          {"models/gpt_bigcode", "the graph holds rows that were looked up"},
                                          {"gpt2", "the graph holds rows that were looked up"}}) {
    const WeightFiles files(model);
    files.expectCompiles("one", 1);
    TorchWeights torch = files.torch();
    for (const char *name : {"model.layers.0.input_layernorm.weight", "transformer.wpe.weight"})
      torch.byName[name] = {{32}, std::vector<float>(32)};
    expectParts(files.errorOf(torch), {what});
    files.expectCompiles("own", 1, "one/weights/tp_0000.safetensors");
    files.expectSame("one", "own");
  }
}

TEST(Weights, NumbersThatAreNoFloatsAreRefused) {
  const WeightFiles files("mlp");
  files.expectCompiles("one", 1);
  files.torch().write(files.path("x.safetensors"));
  SafetensorsFile file = llvm::cantFail(readSafetensors(files.path("x.safetensors")));
  file.tensors[0].dtype = DType::I32;
  llvm::cantFail(writeSafetensors(files.path("y.safetensors"), file.tensors));
  llvm::Error error = files.compile("refused", 1, "y.safetensors");
  ASSERT_TRUE(bool(error));
  expectParts(describe(std::move(error)), {"these have a type in it that is none of F64, F32, BF16 and F16:\n    "
                                           "fc1.bias [128]: fc1.bias is i32\n"});
}

} // namespace
} // namespace autotp::test
