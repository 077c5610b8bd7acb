// The compiler knows the idioms of an exported Llama, and shards its heads, features and vocabulary.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "runtime/base/error.h"
#include "tests/models/scratch_folder.h"

#include <map>
#include <set>

namespace autotp {
namespace {

class LlamaCompileTest : public ScratchFolder {
protected:
  llvm::Expected<CompiledModel> compileTiny(const std::string &more, const std::string &stopAfter,
                                            bool hasWeights = true, Recompute recompute = Recompute::None) const {
    LlamaExport options = tiny(more);
    options.hasWeights = hasWeights;
    if (llvm::Error error = exportLlama(options)) return error;
    CompileOptions compiling;
    compiling.model = options.output;
    compiling.import.microBatch = 2;
    compiling.shard = ShardMode::All;
    compiling.step.tp = 2;
    compiling.look.stopAfter = stopAfter;
    compiling.recompute = recompute;
    return compile(compiling);
  }

  static std::map<std::string, int> countsOf(const Graph &graph) {
    std::map<std::string, int> counts;
    for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
      ++counts[graph.node(id).op.str()];
    return counts;
  }
};

/// Planned bytes of activations, and collectives of a micro-step.
std::pair<uint64_t, int> activationsAndCollectives(const plan::Program &program) {
  uint64_t bytes = 0;
  for (const plan::Region &region : program.regions())
    if (region.name() == "activations") bytes = region.bytes();
  int collectives = 0;
  for (const plan::Instruction &step : program.sections(0).instructions())
    collectives += step.has_collective();
  return {bytes, collectives};
}

/// "parameter/dimension" of all that is sharded.
std::set<std::string> shardedDimensions(const CompiledModel &model) {
  std::set<std::string> found;
  for (const ParameterInfo &parameter : model.graph.parameters) {
    const Terms &terms = model.placement.axes.values[parameter.value];
    for (size_t d = 0; d < terms.size(); ++d)
      if (isSharded(model.placement.axes.arena, llvm::makeArrayRef(terms).slice(d, 1),
                    model.placement.chosen.assignment))
        found.insert(model.graph.value(parameter.value).name + "/" + std::to_string(d));
  }
  return found;
}

std::set<std::string> wantedDimensions() {
  std::set<std::string> wanted = {"model.embed_tokens.weight/0", "lm_head.weight/0"};
  for (const char *layer : {"model.layers.0.", "model.layers.1."})
    for (const char *dimension :
         {"self_attn.q_proj.weight/0", "self_attn.k_proj.weight/0", "self_attn.v_proj.weight/0",
          "self_attn.o_proj.weight/1", "mlp.gate_proj.weight/0", "mlp.up_proj.weight/0", "mlp.down_proj.weight/1"})
      wanted.insert(std::string(layer) + dimension);
  return wanted;
}

TEST_F(LlamaCompileTest, EveryIdiomIsRecognised) {
  auto model = compileTiny("", "canonicalise-again");
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  std::map<std::string, int> counts = countsOf(model->graph);
  EXPECT_EQ(counts["rms_norm"], 5);
  EXPECT_EQ(counts["rotary"], 4);
  EXPECT_EQ(counts["attention"], 2);
  EXPECT_EQ(counts["swiglu"], 2);
  EXPECT_EQ(counts["matmul"], 15); // the projections and the head: none of an attention's is left
  EXPECT_EQ(counts["concat"], 1);  // the padded labels
  EXPECT_EQ(counts["softmax"] + counts["sigmoid"] + counts["neg"] + counts["expand"], 0);
}

TEST_F(LlamaCompileTest, RecomputedLayersKeepLittleAndReduceNoMore) {
  const std::string deep = R"(, "num_hidden_layers": 8)";
  auto kept = compileTiny(deep, ""), again = compileTiny(deep, "", true, Recompute::Layer);
  ASSERT_TRUE(bool(kept)) << describe(kept.takeError());
  ASSERT_TRUE(bool(again)) << describe(again.takeError());
  EXPECT_GT(again->ranks.recomputed, 7u);
  const auto [keptBytes, keptCollectives] = activationsAndCollectives(kept->ranks.emitted[0]);
  const auto [bytes, collectives] = activationsAndCollectives(again->ranks.emitted[0]);
  EXPECT_LT(bytes, keptBytes * 2 / 3) << keptBytes;
  EXPECT_EQ(collectives, keptCollectives);
}

TEST_F(LlamaCompileTest, HeadsFeaturesAndVocabularyAreSharded) {
  auto model = compileTiny("", "");
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(shardedDimensions(*model), wantedDimensions());
  EXPECT_EQ(model->ranks.programs.size(), 2u);
  ASSERT_EQ(model->training.inputs.size(), 2u);
  EXPECT_EQ(model->training.inputs[0].role, "tokens");
  EXPECT_EQ(model->training.inputs[1].role, "labels");
}

TEST_F(LlamaCompileTest, ATiedEmbeddingIsShardedByVocabulary) {
  auto model = compileTiny(", \"tie_word_embeddings\": true", "");
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  std::set<std::string> wanted = wantedDimensions();
  wanted.erase("lm_head.weight/0");
  EXPECT_EQ(shardedDimensions(*model), wanted);
}

TEST_F(LlamaCompileTest, ShapesAloneCompileToTheSameAxes) {
  auto model = compileTiny("", "", /*hasWeights=*/false);
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(shardedDimensions(*model), wantedDimensions());
}

} // namespace
} // namespace autotp
