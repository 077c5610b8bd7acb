// What the compiler decides on the fixtures, as text that a reviewer reads. UPDATE_GOLDEN=1 rewrites the files.
#include "compiler/ir/print.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/report/summary.h"
#include "passes/report/why.h"
#include "runtime/base/error.h"
#include "tests/fixtures/run_fixture.h"
#include "tests/golden/expect_golden.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>
#include <set>

namespace autotp {
namespace {

CompileOptions optionsFor(const std::string &fixture, int tp, int dp) {
  CompileOptions options = test::fixtureOptions(fixture);
  options.step.tp = tp;
  options.step.dp = dp;
  return options;
}

void expectGolden(const std::string &name, const std::string &text) {
  test::expectGolden("tests/golden/" + name, text);
}

std::string summaryOf(const std::string &fixture, int tp, int dp, int zero = 2) {
  CompileOptions options = optionsFor(fixture, tp, dp);
  options.step.zero = zero;
  CompiledModel compiled = llvm::cantFail(compile(options));
  options.model = fixture;
  std::string text;
  llvm::raw_string_ostream os(text);
  printSummary(compiled, options, os);
  return os.str();
}

/// The forward graph once idioms are recognised.
std::string recognised(const std::string &fixture) {
  CompileOptions options = optionsFor(fixture, 1, 1);
  options.look.stopAfter = "canonicalise-again";
  return printed(llvm::cantFail(compile(options)).graph);
}

/// Sources of the training graph with the axes of their dimensions.
std::string axesOf(const std::string &fixture) {
  CompileOptions options = optionsFor(fixture, 1, 1);
  options.look.stopAfter = "find-axes";
  CompiledModel compiled = llvm::cantFail(compile(options));
  AxisNames names(compiled.graph, compiled.placement.axes);
  std::string text;
  for (ValueKind kind : {ValueKind::Parameter, ValueKind::Input})
    for (ValueId id : compiled.graph.sources(kind))
      text += compiled.graph.value(id).name + " : " + compiled.graph.type(id).text() + names.text(id) + "\n";
  return text;
}

class Golden : public testing::TestWithParam<const char *> {};

TEST_P(Golden, Summary) { expectGolden(std::string(GetParam()) + ".tp2_dp2.txt", summaryOf(GetParam(), 2, 2)); }
TEST(Sliced, Summary) { expectGolden("llama.tp2_dp2_zero3.txt", summaryOf("llama", 2, 2, 3)); }
/// Sizes that tp does not divide: what each tp rank holds, and how uneven the work is.
TEST(Uneven, Summary) { expectGolden("llama.tp3.txt", summaryOf("llama", 3, 1)); }

/// A sharded weight, its gradient, a sum that is reduced at once, and heads that are parts of a dimension.
TEST(Why, ValuesOfALlama) {
  CompileOptions options = optionsFor("llama", 2, 1);
  options.look.stopAfter = "place-reductions";
  const CompiledModel compiled = llvm::cantFail(compile(options));
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const char *name : {"model.model.layers.0.mlp.gate_proj.weight", "grad:val_245", "%matmul_5", "reshape"})
    llvm::cantFail(explainValue(compiled, name, os));
  expectGolden("llama.why.txt", os.str());
  const std::string unknown = describe(explainValue(compiled, "gate_proj", os));
  EXPECT_NE(unknown.find("these are like it: model.model.layers.0.mlp.gate_proj.weight, "), std::string::npos)
      << unknown;
  options.look.stopAfter = "find-axes";
  const std::string early = describe(explainValue(llvm::cantFail(compile(options)), "reshape", os));
  EXPECT_NE(early.find("nothing is placed before"), std::string::npos) << early;
}

TEST_P(Golden, Axes) { expectGolden(std::string(GetParam()) + ".axes.txt", axesOf(GetParam())); }
TEST_P(Golden, Recognised) { expectGolden(std::string(GetParam()) + ".recognised.ir", recognised(GetParam())); }

INSTANTIATE_TEST_SUITE_P(Fixtures, Golden, testing::Values("mlp", "llama", "llama-ts", "gpt2", "nanogpt"),
                         test::fixtureTestName);

/// Collectives over tp of one micro-step with sequence parallelism, by kind; those of a few elements apart, and those of
/// whole buckets: over all ranks, where gradients are Partial over tp.
std::string sequenceCounts(const std::string &model) {
  CompileOptions options = optionsFor("llama", 2, 1);
  options.model = std::string(AUTOTP_SOURCE_DIR) + "/" + model + "/model.onnx";
  options.import.shapes["seq"] = options.import.shapes["source"] = options.import.shapes["target"] = 16;
  options.sequenceParallel = true;
  CompiledModel compiled = llvm::cantFail(compile(options));
  int gathers = 0, scatters = 0, reductions = 0, small = 0, buckets = 0;
  for (const plan::Instruction &step : compiled.ranks.emitted[0].sections(0).instructions()) {
    if (!step.has_collective()) continue;
    if (compiled.ranks.emitted[0].groups(int(step.collective().group())).axis() == plan::WORLD) {
      ++buckets;
      continue;
    }
    plan::CollectiveKind kind = step.collective().kind();
    int64_t elements = 1;
    for (int64_t size : step.collective().operand().shape())
      elements *= size;
    gathers += kind == plan::ALL_GATHER;
    scatters += kind == plan::REDUCE_SCATTER_SUM;
    bool isReduction = kind == plan::ALL_REDUCE_SUM || kind == plan::ALL_REDUCE_MAX;
    reductions += isReduction && elements >= 1024;
    small += isReduction && elements < 1024;
  }
  return llvm::formatv("{0}: {1} reduce_scatter, {2} all_gather, {3} all_reduce, {4} all_reduce below 1024 elements, "
                       "{5} of a bucket\n",
                       model, scatters, gathers, reductions, small, buckets)
      .str();
}

TEST(SequenceParallel, CollectivesOfTheDecoders) {
  std::string text;
  for (const char *model :
       {"tests/fixtures/llama", "tests/fixtures/gpt2", "models/bloom", "models/falcon", "models/gemma", "models/gemma2",
        "models/gpt_bigcode", "models/gpt_neox", "models/llama", "models/mistral", "models/mixtral", "models/olmo2",
        "models/opt", "models/phi", "models/phi3", "models/qwen2", "models/qwen3", "models/t5"})
    text += sequenceCounts(model);
  expectGolden("sequence_parallel.txt", text);
}

struct Counts {
  int forward = 0, backward = 0, loss = 0;
  int64_t lossValues = 0, rows = 0;
};

/// All-reduces over tp in micro_step: of activations, by direction, and of the cross-entropy's rows.
Counts countOverTp(const Graph &graph) {
  Counts counts;
  int64_t rows = 0; // of the cross-entropy
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
    if (graph.node(id).is("cross_entropy_local")) rows = graph.type(graph.node(id).operands[0]).shape[0];
  counts.rows = rows;
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    const Node &node = graph.node(id);
    if (!node.is("all_reduce") || node.attributes.text("axis") != "tp") continue;
    int64_t elements = graph.type(node.results[0]).elements();
    if (elements == rows || elements == 2 * rows) {
      ++counts.loss;
      counts.lossValues += elements;
    } else {
      ++(node.backward ? counts.backward : counts.forward);
    }
  }
  return counts;
}

/// A dense decoder of L layers: 2 L + 1 all-reduces forward (2 a layer, the embedding) and 2 L + 1 backward (2 a layer,
/// dX of the head), and 3 values a row for the cross-entropy. The same from both exporters' spellings.
TEST(Collectives, ADenseLayerCostsTwoForwardAndTwoBackward) {
  constexpr int kLayers = 2;
  for (const char *fixture : {"llama", "llama-ts", "gpt2", "nanogpt"})
    for (int tp : {2, 4}) {
      CompiledModel compiled = llvm::cantFail(compile(optionsFor(fixture, tp, 1)));
      for (const RankProgram &program : compiled.ranks.programs) {
        Counts counts = countOverTp(program.microStep.graph);
        EXPECT_EQ(counts.forward, 2 * kLayers + 1) << fixture << " tp " << tp;
        EXPECT_EQ(counts.backward, 2 * kLayers + 1) << fixture << " tp " << tp;
        EXPECT_EQ(counts.loss, 2) << fixture;
        EXPECT_EQ(counts.lossValues, 3 * counts.rows) << fixture;
      }
    }
}

/// Names of the chosen axes' parameters, without the order of decisions.
std::set<std::set<std::string>> chosenGroups(const CompiledModel &compiled) {
  std::set<std::set<std::string>> groups;
  for (const AxisDecision &d : compiled.placement.chosen.decisions) {
    if (!d.isChosen) continue;
    std::set<std::string> names;
    for (ValueId p : d.parameters)
      names.insert(compiled.graph.value(p).name);
    groups.insert(names);
  }
  return groups;
}

TEST(Axes, AreTheSameWithAndWithoutRecognition) {
  for (const char *fixture : {"llama", "llama-ts", "gpt2", "nanogpt"}) {
    CompileOptions options = optionsFor(fixture, 2, 1);
    auto with = chosenGroups(llvm::cantFail(compile(options)));
    options.recognise = false;
    EXPECT_EQ(with, chosenGroups(llvm::cantFail(compile(options)))) << fixture;
    bool isTied = !llvm::StringRef(fixture).startswith("llama");
    EXPECT_EQ(with.size(), isTied ? 5u : 6u) << fixture << ": heads and ffn of two layers, and the vocabulary";
  }
}

TEST(Plans, CompiledTwiceAreByteIdentical) {
  for (const char *fixture : {"llama", "gpt2"}) {
    std::string first, second;
    for (std::string *text : {&first, &second}) {
      CompiledModel compiled = llvm::cantFail(compile(optionsFor(fixture, 2, 2)));
      for (size_t c = 0; c < 2; ++c)
        *text += compiled.ranks.emitted[c].SerializeAsString();
    }
    EXPECT_EQ(first, second) << fixture;
  }
}

} // namespace
} // namespace autotp
