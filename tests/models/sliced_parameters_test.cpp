// What ZeRO leaves of a model's parameters and states in memory, by the plan, on a model of many layers.
#include "compiler/ops/op_def.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"
#include "tests/models/scratch_folder.h"

namespace autotp {
namespace {

class SlicedParameters : public ScratchFolder {
protected:
  llvm::Expected<CompiledModel> compiled(int zero, int tp) const {
    DecoderExport options = tiny();
    std::ofstream(options.config) << R"({"model_type": "llama", "hidden_size": 128, "num_hidden_layers": 24,
      "num_attention_heads": 8, "num_key_value_heads": 2, "intermediate_size": 384, "vocab_size": 128,
      "rms_norm_eps": 1e-5, "hidden_act": "silu"})";
    options.hasWeights = false;
    if (llvm::Error error = exportDecoder(options)) return error;
    CompileOptions compiling;
    compiling.model = options.output;
    compiling.shard = ShardMode::All;
    compiling.step.tp = tp;
    compiling.step.dp = kDp;
    compiling.step.zero = zero;
    compiling.memory.threads = 1;
    return compile(compiling);
  }
  static constexpr int kDp = 4;
};

int64_t bytesOf(const plan::Program &program, llvm::StringRef name) {
  for (const plan::Region &region : program.regions())
    if (region.name() == name) return int64_t(region.bytes());
  return 0;
}

/// The most bytes of gathered buckets that live at the same time, and the largest of them.
std::pair<int64_t, int64_t> gatheredBytes(const Graph &g) {
  std::map<ValueId, std::pair<size_t, size_t>> lives; // by what was gathered: from, to
  std::map<ValueId, ValueId> viewOf;
  for (auto [at, id] : indexed(g.order())) {
    const Node &node = g.node(id);
    const bool isGather = node.is("all_gather") && node.attributes.text("axis") == "dp";
    for (ValueId operand : node.operands)
      if (auto of = viewOf.find(operand); of != viewOf.end()) {
        lives[of->second].second = at;
        if (node.is("slice") || opOf(node).isView()) viewOf[node.results[0]] = of->second;
      }
    if (!isGather) continue;
    lives[node.results[0]] = {at, at};
    viewOf[node.results[0]] = node.results[0];
  }
  int64_t most = 0, largest = 0;
  for (const auto &[value, life] : lives) {
    int64_t bytes = 0;
    for (const auto &[other, range] : lives)
      if (range.first <= life.first && life.first <= range.second) bytes += int64_t(g.type(other).bytes());
    most = std::max(most, bytes);
    largest = std::max(largest, int64_t(g.type(value).bytes()));
  }
  return {most, largest};
}

/// Of each kind of bucket two.
int64_t twoOfEachKind(const RankProgram &program) {
  int64_t bytes = 0;
  for (const BucketLayout &first : program.buckets) {
    int64_t largest = 0, count = 0;
    bool isSeen = false;
    for (const BucketLayout &bucket : program.buckets) {
      if (!(bucket.kind == first.kind)) continue;
      isSeen |= &bucket < &first;
      ++count;
      largest = std::max(largest, bucket.elements * int64_t(sizeof(float)));
    }
    if (!isSeen) bytes += std::min<int64_t>(2, count) * largest;
  }
  return bytes;
}

TEST_F(SlicedParameters, AreAShareAndTwoBuckets) {
  for (int tp : {1, 2}) {
    auto whole = compiled(2, tp), sliced = compiled(3, tp);
    ASSERT_TRUE(bool(whole)) << describe(whole.takeError());
    ASSERT_TRUE(bool(sliced)) << describe(sliced.takeError());
    for (int c = 0; c < tp; ++c) {
      const plan::Program &before = whole->ranks.emitted[size_t(c)], &after = sliced->ranks.emitted[size_t(c)];
      const auto [gathered, largest] = gatheredBytes(sliced->ranks.programs[size_t(c)].microStep.graph);
      const int64_t all = bytesOf(before, "parameters"), share = bytesOf(after, "parameters");
      const int64_t padding = after.buckets_size() * (16 * 4 + 256); // each slice from a cache line, in whole lines
      EXPECT_LE(share, all / kDp + padding);
      EXPECT_GT(gathered, 0);
      const int64_t most = twoOfEachKind(sliced->ranks.programs[size_t(c)]);
      EXPECT_LE(gathered, most);
      EXPECT_LT(largest, all / 24) << "a bucket is not a layer";
      EXPECT_LE(int64_t(after.arena_bytes()), int64_t(before.arena_bytes()) - all + share + most);
    }
  }
}

/// Of parameters that tp leaves whole, each rank of tp x dp has the states of its own slice; of others each dp rank.
TEST_F(SlicedParameters, StatesOfWholeOnesAreSharedByAllRanks) {
  constexpr int kTp = 2;
  auto plan = compiled(2, kTp);
  ASSERT_TRUE(bool(plan)) << describe(plan.takeError());
  for (const plan::Program &program : plan->ranks.emitted) {
    int64_t whole = 0, sharded = 0;
    for (const plan::Parameter &parameter : program.parameters())
      (llvm::equal(parameter.global_shape(), parameter.tensor().shape()) ? whole : sharded) +=
          elementsOf(parameter.tensor());
    ASSERT_GT(whole, 0);
    const int64_t states = 2 * 4 * (whole / (kTp * kDp) + sharded / kDp);
    EXPECT_GE(bytesOf(program, "optimizer states"), states);
    EXPECT_LE(bytesOf(program, "optimizer states"), states + program.buckets_size() * 2 * (16 * 4 + 256));
    int64_t rank = 0;
    for (const plan::Bucket &bucket : program.buckets())
      rank += bucket.elements() == kTp * kDp * elementsOf(bucket.accumulator());
    EXPECT_EQ(rank, 1) << "one bucket holds all norms";
  }
}

} // namespace
} // namespace autotp
