// The compiler knows the idioms of a written decoder, and shards its heads, features and vocabulary.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "runtime/base/error.h"
#include "tests/models/scratch_folder.h"

#include <map>
#include <set>

namespace autotp {
namespace {

class DecoderCompileTest : public ScratchFolder {
protected:
  llvm::Expected<CompiledModel> compileTiny(const std::string &more, const std::string &stopAfter,
                                            bool hasWeights = true, Recompute recompute = Recompute::None) const {
    DecoderExport options = tiny(more);
    options.hasWeights = hasWeights;
    return compileExport(options, stopAfter, recompute);
  }

  static llvm::Expected<CompiledModel> compileExport(const DecoderExport &options, const std::string &stopAfter,
                                                     Recompute recompute = Recompute::None) {
    if (llvm::Error error = exportDecoder(options)) return error;
    CompileOptions compiling;
    compiling.model = options.output;
    compiling.import.microBatch = options.batch;
    compiling.shard = ShardMode::All;
    compiling.step.tp = 2;
    compiling.step.gradAccum = 2; // so that gradients have a region of their own
    compiling.step.bucketBytes = 32 << 10;
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
    if (llvm::StringRef(region.name()).endswith("activations")) bytes = region.bytes();
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

TEST_F(DecoderCompileTest, EveryIdiomIsRecognised) {
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

/// What two layers of a family become.
struct Idioms {
  const char *family;
  int norms, attentions, swiglus, gelus, rotaries = 4;
};

TEST_F(DecoderCompileTest, EveryFamilysIdiomsAreRecognised) {
  for (const Idioms &idioms : {Idioms{"llama", 5, 2, 2, 0}, Idioms{"mistral", 5, 2, 2, 0}, Idioms{"phi3", 5, 2, 2, 0},
                               Idioms{"qwen2", 5, 2, 2, 0}, Idioms{"qwen3", 9, 2, 2, 0},
                               Idioms{"gemma2", 9, 0, 0, 2}}) { // no attention operator has a cap
    SCOPED_TRACE(idioms.family);
    const char *window = idioms.family == llvm::StringRef("llama") ? "" : ", \"sliding_window\": 8";
    auto model = compileExport(tiny(window, idioms.family), "canonicalise-again");
    ASSERT_TRUE(bool(model)) << describe(model.takeError());
    std::map<std::string, int> counts = countsOf(model->graph);
    EXPECT_EQ(counts["rms_norm"], idioms.norms);
    EXPECT_EQ(counts["attention"], idioms.attentions);
    EXPECT_EQ(counts["softmax"], 2 - idioms.attentions);
    EXPECT_EQ(counts["swiglu"], idioms.swiglus);
    EXPECT_EQ(counts["gelu"], idioms.gelus);
    EXPECT_EQ(counts["rotary"], idioms.rotaries);
  }
}

/// What is as large as the square of a long sequence is computed in a step, once, and is no constant of a file or plan.
TEST_F(DecoderCompileTest, LongSequencesHaveNoTableOfMasks) {
  constexpr int64_t kLong = 4096;
  for (const char *family : {"llama", "mistral", "gemma2"}) {
    SCOPED_TRACE(family);
    const bool hasWindow = family != llvm::StringRef("llama");
    DecoderExport options = tiny(hasWindow ? ", \"sliding_window\": 1000" : "", family);
    options.batch = 1;
    options.seq = kLong;
    auto model = compileExport(options, "canonicalise-again");
    ASSERT_TRUE(bool(model)) << describe(model.takeError());
    uint64_t fileBytes = 0;
    ASSERT_FALSE(llvm::sys::fs::file_size(options.output, fileBytes));
    EXPECT_LT(fileBytes, uint64_t(16 << 20));
    for (ValueId constant : model->graph.sources(ValueKind::Constant))
      EXPECT_LT(model->graph.type(constant).elements(), kLong * kLong);
    EXPECT_EQ(countsOf(model->graph)["where"], hasWindow + (family == llvm::StringRef("gemma2")));
  }
}

TEST_F(DecoderCompileTest, RecomputedLayersKeepLittleAndReduceNoMore) {
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

TEST_F(DecoderCompileTest, HeadsFeaturesAndVocabularyAreSharded) {
  auto model = compileTiny("", "");
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(shardedDimensions(*model), wantedDimensions());
  EXPECT_EQ(model->ranks.programs.size(), 2u);
  ASSERT_EQ(model->training.inputs.size(), 2u);
  EXPECT_EQ(model->training.inputs[0].role, "tokens");
  EXPECT_EQ(model->training.inputs[1].role, "labels");
}

TEST_F(DecoderCompileTest, ATiedEmbeddingIsShardedByVocabulary) {
  auto model = compileTiny(", \"tie_word_embeddings\": true", "");
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  std::set<std::string> wanted = wantedDimensions();
  wanted.erase("lm_head.weight/0");
  EXPECT_EQ(shardedDimensions(*model), wanted);
}

TEST_F(DecoderCompileTest, ShapesAloneCompileToTheSameAxes) {
  auto model = compileTiny("", "", /*hasWeights=*/false);
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(shardedDimensions(*model), wantedDimensions());
}

/// A plan without weights starts where transformers does: vectors that are added at zero, also where 1 + w scales.
TEST_F(DecoderCompileTest, WithoutWeightsVectorsStartAtWhatTheyDo) {
  for (const auto &[family, more] :
       {std::pair("qwen2", ""), {"gemma2", ""}, {"llama", ", \"attention_bias\": true, \"mlp_bias\": true"}}) {
    SCOPED_TRACE(family);
    DecoderExport options = tiny(more, family);
    options.hasWeights = false;
    auto model = compileExport(options, "");
    ASSERT_TRUE(bool(model)) << describe(model.takeError());
    for (const plan::Parameter &parameter : model->ranks.emitted[0].parameters()) {
      const bool isMatrix = parameter.global_shape_size() > 1;
      const bool isScale =
          llvm::StringRef(parameter.name()).endswith("norm.weight") && family != llvm::StringRef("gemma2");
      EXPECT_EQ(parameter.init_value(), isScale ? 1 : 0) << parameter.name();
      EXPECT_EQ(parameter.init_stddev(), isMatrix ? 0.02 : 0) << parameter.name();
    }
  }
}

} // namespace
} // namespace autotp
