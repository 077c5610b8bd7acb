// A Llama that was exported without weights is filled from a file, and is then the plan of one that was exported with them.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "passes/plan_source.h"
#include "passes/report/plan_contents.h"
#include "passes/report/summary.h"
#include "runtime/base/error.h"
#include "runtime/checkpoint/stored_weights.h"
#include "runtime/plan/safetensors.h"
#include "tests/fixtures/plan_files.h"
#include "tests/models/scratch_folder.h"

namespace autotp {
namespace {

class LlamaWeightsTest : public ScratchFolder {
protected:
  void write(const std::string &more, bool hasWeights, const std::string &name) const {
    DecoderExport options = tiny(more);
    options.output = path(name);
    options.hasWeights = hasWeights;
    if (llvm::Error error = exportDecoder(options)) FAIL() << describe(std::move(error));
  }

  /// A plan of `model`, filled from `weights`; empty: from the model.
  llvm::Expected<CompiledModel> compileTo(const std::string &plan, const std::string &model, int tp,
                                          const std::string &weights = "", const std::string &freeze = "") const {
    CompileOptions options;
    options.model = path(model);
    options.import.microBatch = 2;
    options.shard = ShardMode::All;
    options.memory.threads = 1;
    options.step.tp = tp;
    options.parameters.freeze = freeze;
    if (!weights.empty()) {
      options.weights.path = path(weights);
      auto stored = StoredWeights::open("--weights", options.weights.path);
      if (!stored) return stored.takeError();
      options.weights.stored = std::move(*stored);
    }
    llvm::Expected<CompiledModel> compiled = compile(options);
    if (!compiled) return compiled.takeError();
    auto folder = OutputFolder::open(path(plan), {});
    if (!folder) return folder.takeError();
    if (llvm::Error error = writePlan(planContents(*compiled, describe(*compiled, options)), **folder)) return error;
    llvm::Expected<std::string> moved = (*folder)->commit();
    if (!moved) return moved.takeError();
    return compiled;
  }

  template <typename... Args> void expectCompiles(Args &&...args) const {
    if (auto compiled = compileTo(std::forward<Args>(args)...); !compiled) FAIL() << describe(compiled.takeError());
  }
};

TEST_F(LlamaWeightsTest, AGraphWithoutWeightsIsFilled) {
  for (const std::string &more : {std::string(), std::string(R"(, "tie_word_embeddings": true)")}) {
    const std::string end = more.empty() ? "" : "-tied";
    write(more, true, "whole" + end + ".onnx");
    write(more, false, "empty" + end + ".onnx");
    expectCompiles("one" + end, "whole" + end + ".onnx", 1);
    SafetensorsFile file = llvm::cantFail(readSafetensors(path("one" + end + "/weights/tp_0000.safetensors")));
    if (!more.empty()) { // a module that ties its head may have saved it too
      file.tensors.push_back(*file.find("model.embed_tokens.weight"));
      file.tensors.back().name = "lm_head.weight";
    }
    llvm::cantFail(writeSafetensors(path("w.safetensors"), file.tensors));
    expectCompiles("copied" + end, "whole" + end + ".onnx", 2);
    expectCompiles("filled" + end, "empty" + end + ".onnx", 2, "w.safetensors");
    test::expectSamePlans(path("copied" + end), path("filled" + end));
  }
}

TEST_F(LlamaWeightsTest, FrozenParametersAreReadBeforeAnythingIsFolded) {
  write("", true, "whole.onnx");
  write("", false, "empty.onnx");
  expectCompiles("one", "whole.onnx", 1);
  expectCompiles("copied", "whole.onnx", 2, "", "mlp");
  expectCompiles("filled", "empty.onnx", 2, "one/weights/tp_0000.safetensors", "mlp");
  test::expectSamePlans(path("copied"), path("filled"));
  llvm::Expected<CompiledModel> unfilled = compileTo("none", "empty.onnx", 2, "", "mlp");
  ASSERT_FALSE(bool(unfilled));
  EXPECT_NE(describe(unfilled.takeError()).find("it is no parameter, and its file holds no contents"),
            std::string::npos);
}

/// To prove a plan its graph is made again, with the frozen parameters of the file.
TEST_F(LlamaWeightsTest, APlanIsProvenWithTheFileOfItsFrozenParameters) {
  write("", true, "whole.onnx");
  write("", false, "empty.onnx");
  expectCompiles("one", "whole.onnx", 1);
  std::filesystem::copy(path("one/weights/tp_0000.safetensors"), path("w.safetensors"));
  for (const char *freeze : {"", "mlp"}) {
    const std::string plan = std::string("filled") + freeze;
    llvm::Expected<CompiledModel> compiled = compileTo(plan, "empty.onnx", 2, "w.safetensors", freeze);
    ASSERT_TRUE(bool(compiled)) << describe(compiled.takeError());
    const Manifest manifest = llvm::cantFail(readManifest(path(plan)));
    llvm::Expected<Certificate> proven = certifyPlan(manifest, compiled->ranks.emitted, "");
    EXPECT_TRUE(bool(proven)) << describe(proven.takeError());
    std::filesystem::rename(path("w.safetensors"), path("away.safetensors"));
    llvm::Expected<Certificate> without = certifyPlan(manifest, compiled->ranks.emitted, "");
    EXPECT_EQ(bool(without), *freeze == '\0');
    if (!without) {
      EXPECT_NE(describe(without.takeError()).find("there is no such file or folder"), std::string::npos);
    }
    std::filesystem::rename(path("away.safetensors"), path("w.safetensors"));
  }
}

} // namespace
} // namespace autotp
