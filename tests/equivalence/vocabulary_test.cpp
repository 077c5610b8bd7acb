// Losses of many kinds keep the vocabulary sharded: logits stay [tokens, vocab / tp], and a few values a token travel.
// Each trains to the numbers of one rank, and the collectives of a step are recorded in tests/golden/vocabulary.txt.
#include "compiler/ops/collectives.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "tests/compiler/onnx/model_file.h"
#include "tests/equivalence/fixture.h"
#include "tests/fixtures/run_fixture.h"
#include "tests/golden/expect_golden.h"

#include "passes/report/summary.h"
#include "runtime/base/error.h"

#include "llvm/Support/FormatVariadic.h"

namespace autotp::test {
namespace {

constexpr int64_t kBatch = 4, kLength = 32, kWidth = 12, kInner = 24, kVocabulary = 260, kTokens = kBatch * kLength;

/// Token ids to logits: a table, a norm, a gated product, a head or the table again. A loss is added by a test.
class LossModel {
public:
  explicit LossModel(bool isTied = false) {
    file_.input("input_ids", {kBatch, kLength}, onnx::TensorProto::INT64);
    file_.input("labels", {kBatch, kLength}, onnx::TensorProto::INT64);
    file_.output("loss");
    weights("table", {kVocabulary, kWidth}, 7);
    weights("gate", {kWidth, kInner}, 11);
    weights("up", {kWidth, kInner}, 13);
    weights("down", {kInner, kWidth}, 17);
    file_.initializer(floats("scale", {kWidth}, std::vector<float>(kWidth, 1.5f)));
    list("last", {-1});
    list("first", {0});
    list("rows", {-1, kVocabulary});
    number("zero", 0);
    number("epsilon", 1e-5f);
    file_.initializer(integers("nought", {}, {0}));
    file_.initializer(integers("ignored", {}, {-100}));
    node("Gather", {"table", "input_ids"}, "e");
    norm("e", "n0");
    node("MatMul", {"n0", "gate"}, "g");
    node("MatMul", {"n0", "up"}, "u");
    node("Sigmoid", {"g"}, "s");
    node("Mul", {"g", "s"}, "a");
    node("Mul", {"a", "u"}, "au");
    node("MatMul", {"au", "down"}, "d");
    node("Add", {"e", "d"}, "x");
    norm("x", "h");
    if (isTied) {
      node("Transpose", {"table"}, "tied", {intsAttribute("perm", {1, 0})});
      node("MatMul", {"h", "tied"}, "logits");
    } else {
      head("head", "h", "logits");
    }
  }

  void node(const std::string &op, std::vector<std::string> operands, const std::string &result,
            std::vector<onnx::AttributeProto> attributes = {}) {
    file_.node(op, std::move(operands), {result}, std::move(attributes));
  }
  void head(const std::string &name, const std::string &x, const std::string &logits) {
    weights(name, {kWidth, kVocabulary}, 19 + int64_t(name.size()));
    node("MatMul", {x, name}, logits);
  }
  void number(const std::string &name, float value) { file_.initializer(floats(name, {}, {value})); }
  void list(const std::string &name, std::vector<int64_t> values) { file_.initializer(integers(name, values)); }
  ModelFile &file() { return file_; }
  std::string write() { return file_.folder.write("model.onnx", file_.proto.SerializeAsString()); }

  /// The labels with 0 for those that do not count; 1 where one counts, else 0; and how many they are.
  void countLabels() {
    node("Equal", {"labels", "ignored"}, "is_ignored");
    node("Where", {"is_ignored", "nought", "labels"}, "label");
    node("Not", {"is_ignored"}, "is_counted");
    node("Cast", {"is_counted"}, "mask", {intAttribute("to", onnx::TensorProto::FLOAT)});
    node("ReduceSum", {"mask"}, "count", {intAttribute("keepdims", 0)});
  }
  /// The mean of [batch, length] over what counts.
  void meanOf(const std::string &losses, const std::string &result = "loss") {
    node("Mul", {losses, "mask"}, losses + "_masked");
    node("ReduceSum", {losses + "_masked"}, losses + "_sum", {intAttribute("keepdims", 0)});
    node("Div", {losses + "_sum", "count"}, result);
  }
  void crossEntropy(const std::string &logits, const std::string &result, const std::string &reduction = "mean",
                    const std::string &weight = "") {
    node("Reshape", {logits, "rows"}, logits + "_rows");
    node("Reshape", {"labels", "last"}, result + "_labels");
    std::vector<std::string> operands = {logits + "_rows", result + "_labels"};
    if (!weight.empty()) operands.push_back(weight);
    node("SoftmaxCrossEntropyLoss", operands, result,
         {intAttribute("ignore_index", -100), textAttribute("reduction", reduction)});
  }
  /// The logarithm of the label's probability, [batch, length].
  void logProbability(const std::string &logarithms, const std::string &result) {
    node("Unsqueeze", {"label", "last"}, "label_1");
    node("GatherElements", {logarithms, "label_1"}, result + "_1", {intAttribute("axis", -1)});
    node("Squeeze", {result + "_1", "last"}, result);
  }

private:
  void weights(const std::string &name, std::vector<int64_t> shape, int64_t seed) {
    std::vector<float> values(size_t(elementsOf(shape)));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = float((int64_t(i) * 7919 + seed * 104729) % 1009) / 1009 - 0.5f;
    file_.initializer(floats(name, shape, values));
  }
  void norm(const std::string &x, const std::string &y) {
    node("Mul", {x, x}, y + "_q");
    node("ReduceMean", {y + "_q", "last"}, y + "_m");
    node("Add", {y + "_m", "epsilon"}, y + "_a");
    node("Sqrt", {y + "_a"}, y + "_r");
    node("Div", {x, y + "_r"}, y + "_n");
    node("Mul", {y + "_n", "scale"}, y);
  }

  ModelFile file_;
};

struct Loss {
  const char *name;
  void (*add)(LossModel &m);
  std::vector<int64_t> sharded = {kInner, kVocabulary, kVocabulary}; ///< sizes of axes, ascending
  bool isTied = false;
  const char *frozen = "";
};
void PrintTo(const Loss &loss, std::ostream *out) { *out << loss.name; }

void logSoftmax(LossModel &m) { m.node("LogSoftmax", {"logits"}, "logarithms", {intAttribute("axis", -1)}); }

void policyGradient(LossModel &m) {
  m.countLabels();
  logSoftmax(m);
  m.logProbability("logarithms", "chosen");
  m.number("old", 5.5f);
  m.node("Add", {"chosen", "old"}, "difference");
  m.node("Exp", {"difference"}, "ratio");
  m.node("Neg", {"ratio"}, "surrogate");
  m.meanOf("surrogate");
}

void crossEntropyAndSquaredLogSumExp(LossModel &m) {
  m.countLabels();
  m.crossEntropy("logits", "entropy");
  m.node("ReduceLogSumExp", {"logits", "last"}, "z", {intAttribute("keepdims", 0)});
  m.node("Mul", {"z", "z"}, "z2");
  m.meanOf("z2", "z_loss");
  m.number("share", 1e-2f);
  m.node("Mul", {"z_loss", "share"}, "z_share");
  m.node("Add", {"entropy", "z_share"}, "loss");
}

void distillation(LossModel &m) {
  m.countLabels();
  m.head("teacher", "n0", "wanted");
  m.node("Softmax", {"wanted"}, "wanted_p", {intAttribute("axis", -1)});
  m.node("LogSoftmax", {"wanted"}, "wanted_log", {intAttribute("axis", -1)});
  logSoftmax(m);
  m.node("Sub", {"wanted_log", "logarithms"}, "between");
  m.node("Mul", {"wanted_p", "between"}, "divergences");
  m.node("ReduceSum", {"divergences", "last"}, "divergence", {intAttribute("keepdims", 0)});
  m.meanOf("divergence");
}

void labelSmoothing(LossModel &m) {
  m.countLabels();
  logSoftmax(m);
  m.logProbability("logarithms", "chosen");
  m.node("ReduceMean", {"logarithms", "last"}, "mean", {intAttribute("keepdims", 0)});
  m.number("most", -0.9f);
  m.number("rest", -0.1f);
  m.node("Mul", {"chosen", "most"}, "chosen_share");
  m.node("Mul", {"mean", "rest"}, "mean_share");
  m.node("Add", {"chosen_share", "mean_share"}, "smooth");
  m.meanOf("smooth");
}

void weighed(LossModel &m) {
  std::vector<float> weights;
  for (int64_t c = 0; c < kVocabulary; ++c)
    weights.push_back(0.5f + float(c % 7) / 7);
  m.file().initializer(floats("class_weights", {kVocabulary}, weights));
  m.crossEntropy("logits", "loss", "mean", "class_weights");
}

void ofEachToken(LossModel &m) {
  m.countLabels();
  m.crossEntropy("logits", "losses", "none");
  m.list("tokens", {kBatch, kLength});
  m.node("Reshape", {"losses", "tokens"}, "of_token");
  m.meanOf("of_token");
}

void severalHeads(LossModel &m) {
  m.countLabels();
  m.head("next_head", "n0", "next_logits");
  m.crossEntropy("logits", "one");
  m.crossEntropy("next_logits", "two");
  m.node("Add", {"one", "two"}, "loss");
}

void entropy(LossModel &m) {
  m.countLabels();
  m.node("Softmax", {"logits"}, "p", {intAttribute("axis", -1)});
  m.node("Log", {"p"}, "log_p");
  m.node("Mul", {"p", "log_p"}, "p_log_p");
  m.node("ReduceSum", {"p_log_p", "last"}, "negative_entropy", {intAttribute("keepdims", 0)});
  m.meanOf("negative_entropy");
}

/// By hand: the maximum is a part of the graph, and so of the gradient.
void byHand(LossModel &m) {
  m.countLabels();
  m.node("ReduceMax", {"logits", "last"}, "most");
  m.node("Sub", {"logits", "most"}, "centred");
  m.node("Exp", {"centred"}, "powers");
  m.node("ReduceSum", {"powers", "last"}, "total");
  m.node("Log", {"total"}, "log_total");
  m.node("Sub", {"centred", "log_total"}, "logarithms");
  std::vector<int64_t> counted(kVocabulary);
  for (int64_t c = 0; c < kVocabulary; ++c)
    counted[size_t(c)] = c;
  m.list("classes", counted);
  m.node("Unsqueeze", {"label", "last"}, "label_1");
  m.node("Equal", {"label_1", "classes"}, "is_label");
  m.node("Cast", {"is_label"}, "one_hot", {intAttribute("to", onnx::TensorProto::FLOAT)});
  m.node("Mul", {"logarithms", "one_hot"}, "hot");
  m.node("ReduceSum", {"hot", "last"}, "chosen", {intAttribute("keepdims", 0)});
  m.node("Neg", {"chosen"}, "likelihood");
  m.meanOf("likelihood");
}

/// logarithms[arange, labels]
void byPoints(LossModel &m) {
  m.countLabels();
  logSoftmax(m);
  std::vector<int64_t> counted(kTokens);
  for (int64_t i = 0; i < kTokens; ++i)
    counted[size_t(i)] = i;
  m.file().initializer(integers("row", {kTokens, 1}, counted));
  m.node("Reshape", {"logarithms", "rows"}, "flat");
  m.list("column", {-1, 1});
  m.node("Reshape", {"label", "column"}, "label_1");
  m.node("Concat", {"row", "label_1"}, "points", {intAttribute("axis", 1)});
  m.node("GatherND", {"flat", "points"}, "chosen");
  m.list("tokens", {kBatch, kLength});
  m.node("Reshape", {"chosen", "tokens"}, "of_token");
  m.node("Neg", {"of_token"}, "likelihood");
  m.meanOf("likelihood");
}

const std::vector<int64_t> kThreeHeads = {kInner, kVocabulary, kVocabulary, kVocabulary},
                           kOneTable = {kInner, kVocabulary};

const Loss kLosses[] = {
    {"cross_entropy", [](LossModel &m) { m.crossEntropy("logits", "loss"); }},
    {"tied_cross_entropy", [](LossModel &m) { m.crossEntropy("logits", "loss"); }, kOneTable, true},
    {"of_each_token", ofEachToken},
    {"weighed_classes", weighed, {kInner, kVocabulary, kVocabulary}, false, "class_weights"},
    {"label_smoothing", labelSmoothing},
    {"tied_label_smoothing", labelSmoothing, kOneTable, true},
    {"log_probability", policyGradient},
    {"tied_log_probability", policyGradient, kOneTable, true},
    {"by_points", byPoints},
    {"by_hand", byHand},
    {"log_sum_exp", crossEntropyAndSquaredLogSumExp},
    {"tied_log_sum_exp", crossEntropyAndSquaredLogSumExp, kOneTable, true},
    {"distillation", distillation, {kInner, kVocabulary, kVocabulary}, false, "^teacher$"},
    {"entropy", entropy},
    {"several_heads", severalHeads, kThreeHeads},
};

class Vocabulary : public testing::TestWithParam<Loss> {};

std::string modelOf(const Loss &loss, LossModel &model) {
  loss.add(model);
  return model.write();
}

/// Losses and all gradients at tp 2, 3 and 4 are those of one rank, to the order in which sums are taken.
TEST_P(Vocabulary, AreThoseOfOneRank) {
  const Loss &loss = GetParam();
  LossModel model(loss.isTied);
  RunAs runAs{.model = modelOf(loss, model), .freeze = loss.frozen, .assumesRoles = true};
  Expected expected = readExpected("llama"); // its batches, of four sequences
  expected.steps = 2;
  llvm::Expected<Trained> one = train("llama", expected, {1, 1, 0, 1}, runAs);
  ASSERT_TRUE(bool(one)) << describe(one.takeError());
  for (const Mesh &mesh : {Mesh{2, 1, 0, 1}, Mesh{3, 1, 0, 1}, Mesh{4, 1, 2, 1}}) {
    llvm::Expected<Trained> run = train("llama", expected, mesh, runAs);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    EXPECT_EQ(run->shardedSizes, loss.sharded) << mesh.text();
    Deviations worst;
    for (const std::string &broken : compare(*one, *run, worst, {1e-6, 1e-4, 1e-5, 1e-7, false}))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

/// The same where tokens are shared out between blocks, and in small floats.
TEST_P(Vocabulary, AreThoseOfOneRankInPartsAndInBf16) {
  const Loss &loss = GetParam();
  LossModel model(loss.isTied);
  RunAs runAs{.dtype = DType::BF16, .model = modelOf(loss, model), .freeze = loss.frozen, .assumesRoles = true};
  Expected expected = readExpected("llama");
  expected.steps = 2;
  llvm::Expected<Trained> one = train("llama", expected, {1, 1, 0, 1}, runAs);
  ASSERT_TRUE(bool(one)) << describe(one.takeError());
  for (bool inParts : {false, true}) {
    runAs.sequenceParallel = inParts;
    llvm::Expected<Trained> run = train("llama", expected, {2, 2, 2, 1}, runAs);
    ASSERT_TRUE(bool(run)) << describe(run.takeError());
    EXPECT_NEAR(run->losses[0] / one->losses[0], 1, 1e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(Equivalence, Vocabulary, testing::ValuesIn(kLosses),
                         [](const auto &info) { return info.param.name; });

/// Of width-sized values 2 forward and 2 backward: the table and the block, and what comes back from the head and from
/// the block. All others are values of tokens.
TEST(Vocabulary, Collectives) {
  std::string text = "# tp 2: collectives of a micro-step, by kind and elements\n";
  for (const Loss &loss : kLosses) {
    LossModel model(loss.isTied);
    CompileOptions options;
    options.model = modelOf(loss, model);
    options.shard = ShardMode::All;
    options.memory.threads = 1;
    options.step.tp = 2;
    options.parameters.freeze = loss.frozen;
    options.parameters.assumesRoles = true; // one vector scales two norms
    llvm::Expected<CompiledModel> compiled = compile(options);
    ASSERT_TRUE(bool(compiled)) << loss.name << ": " << describe(compiled.takeError());
    std::map<std::string, int> counts;
    const Graph &graph = compiled->ranks.programs[0].microStep.graph;
    for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
      const Node &node = graph.node(id);
      if (!opOf(node).isCollective || meshAxisOf(node) != plan::TP) continue;
      ++counts[llvm::formatv("{0} of {1}", node.is("all_reduce") ? node.attributes.text("reduce") : node.op,
                             graph.type(node.operands[0]).elements())
                   .str()];
    }
    text += loss.name + std::string(":");
    for (const auto &[kind, count] : counts)
      text += llvm::formatv(" {0} x {1};", count, kind).str();
    text += "\n";
  }
  expectGolden("tests/golden/vocabulary.txt", text);
}

} // namespace
} // namespace autotp::test
