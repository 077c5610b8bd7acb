// What an exporter says beside the graph: initializers taken apart, tied and brought back; and what each is said to be.
#include "compiler/ops/op_def.h"
#include "passes/import/check_losses.h"
#include "passes/import/check_merged.h"
#include "passes/import/exporter_verdicts.h"
#include "passes/import/find_ties.h"
#include "passes/import/mark_padding.h"
#include "passes/import/restore_biases.h"
#include "passes/import/restore_tables.h"
#include "passes/import/separate_merged.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

using Arguments = std::vector<std::string>;

/// A graph and what its exporter says: node i is of call i.
struct Exported {
  Graph graph;
  ExporterFacts facts;

  explicit Exported(const std::string &lines) : graph(graphOf("graph {\n" + lines + "}\n")) {
    facts.exporter = Exporter::Dynamo;
    for (ValueId id : graph.sources(ValueKind::Parameter))
      graph.value(id).contents = filledTensor(graph.type(id), 1);
  }
  Exported &call(const std::string &result, const std::string &target, Arguments arguments, const std::string &module) {
    facts.nodes.push_back({uint32_t(facts.calls.size()), module});
    facts.calls.push_back({result, target, std::move(arguments), {"", module}});
    return *this;
  }
  Exported &parameter(const std::string &name, const std::string &placeholder) {
    facts.tensors[name] = {TensorKind::Parameter, placeholder, {}};
    return *this;
  }
  /// A source of the program, which the file may hold or not.
  Exported &source(const std::string &name, const std::string &placeholder) {
    facts.sources.push_back({placeholder, name, TensorKind::Parameter});
    return *this;
  }
  Exported &folded(const std::string &name, std::vector<std::string> from) {
    facts.tensors[name] = {{}, "", std::move(from)};
    return *this;
  }
  /// The names of a node's operands.
  std::string operands(size_t node) const {
    std::string names;
    for (ValueId operand : graph.node(graph.order()[node]).operands)
      names += (names.empty() ? "" : " ") + graph.value(operand).name;
    return names;
  }
  std::string separated() {
    std::vector<std::string> names;
    llvm::cantFail(separateMerged(graph, facts, names));
    return llvm::join(names, " ");
  }
  /// What checkMerged names.
  std::string merged() const {
    const std::string text = describe(checkMerged(graph, facts));
    const auto [head, names] = llvm::StringRef(text).split(":\n    ");
    return names.split("\n  do:").first.str();
  }
  std::string verdict(const std::string &name) const {
    const auto verdicts = exporterVerdicts(graph, facts);
    auto at = verdicts.find(name);
    if (at == verdicts.end()) return "nothing";
    constexpr const char *kNames[] = {"nothing", "trained", "constant", "unnamed", "lost", "contradicted"};
    return std::string(kNames[size_t(at->second.kind)]) + ": " + at->second.why;
  }
};

const char *const kNorms =
    "  input %x : f32[2,4]\n  parameter %a.weight : f32[4]\n  parameter %a.bias : f32[4]\n"
    "  %y, %m, %r = layer_norm(%x, %a.weight, %a.bias) {epsilon=1e-5} : f32[2,4], f32[2], f32[2]\n"
    "  %z, %n, %s = layer_norm(%y, %a.weight, %a.bias) {epsilon=1e-5} : f32[2,4], f32[2], f32[2]\n"
    "  return z=%z\n";

Exported norms(const std::string &second) {
  Exported e(kNorms);
  e.parameter("a.weight", "p_a_weight").parameter("a.bias", "p_a_bias");
  e.call("y", "aten.layer_norm", {"%x", "[4]", "%p_a_weight", "%p_a_bias"}, "a");
  e.call("z", "aten.layer_norm", {"%y", "[4]", "%p_" + second + "_weight", "%p_" + second + "_bias"}, second);
  return e;
}

TEST(SeparateMerged, NormsOfEqualInitialValues) {
  Exported e = norms("b");
  EXPECT_EQ(e.separated(), "b.weight b.bias");
  EXPECT_EQ(e.operands(0), "x a.weight a.bias");
  EXPECT_EQ(e.operands(1), "y b.weight b.bias");
  EXPECT_EQ(e.verdict("b.weight"), "trained: PARAMETER");
}

TEST(SeparateMerged, ALayerThatIsCalledTwiceIsOne) {
  Exported e = norms("a");
  EXPECT_EQ(e.separated(), "");
  EXPECT_EQ(e.operands(1), "y a.weight a.bias");
}

TEST(SeparateMerged, CapitalsComeFromWhatItWasMergedWith) {
  Exported e("  input %x : f32[2,4]\n  parameter %l.0.A_log : f32[4]\n  %y = mul(%x, %l.0.A_log) : f32[2,4]\n"
             "  %z = mul(%y, %l.0.A_log) : f32[2,4]\n  return z=%z\n");
  e.parameter("l.0.A_log", "p_l_0_a_log");
  e.call("y", "aten.mul", {"%x", "%p_l_0_a_log"}, "l.0").call("z", "aten.mul", {"%y", "%p_l_1_a_log"}, "l.1");
  EXPECT_EQ(e.separated(), "l.1.A_log");
}

TEST(SeparateMerged, AFoldedValueOfZerosIsNoBias) {
  Exported e("  input %x : f32[2,4]\n  parameter %a.bias : f32[4]\n  %y = add(%x, %a.bias) : f32[2,4]\n"
             "  %z = mul(%a.bias, %y) : f32[2,4]\n  return z=%z\n");
  e.parameter("a.bias", "p_a_bias");
  e.call("y", "aten.linear", {"%x", "%p_a_weight", "%p_a_bias"}, "a").call("z", "aten.mul", {"%tanh", "%y"}, "");
  EXPECT_EQ(e.separated(), "tanh");
  EXPECT_EQ(e.operands(1), "tanh y");
  EXPECT_EQ(e.verdict("tanh"), "lost: a folded value whose formula the exporter lost");
}

TEST(SeparateMerged, SumsWithTheParametersOfTheirModules) {
  Exported e("  input %x : f32[2,4]\n  parameter %add_4 : f32[4]\n  %y = mul(%x, %add_4) : f32[2,4]\n"
             "  %z = mul(%y, %add_4) : f32[2,4]\n  return z=%z\n");
  e.folded("add_4", {"l.0.norm.weight", "val_6"});
  e.call("y", "aten.mul", {"%x", "%add_4"}, "l.0.norm").call("z", "aten.mul", {"%y", "%add_9"}, "l.1.norm");
  EXPECT_EQ(e.separated(), "l.1.norm.weight");
  EXPECT_EQ(e.verdict("add_4"), "trained: l.0.norm.weight and a number, which trains the same");
  EXPECT_EQ(e.verdict("l.1.norm.weight"), "trained: l.1.norm.weight and a number, which trains the same");
}

TEST(SeparateMerged, NodesOverMergedInitializersWereMergedToo) {
  for (const auto &[second, operands] : {std::pair("%expand_2", "l.1.sinks"), {"%expand", "view_4"}}) {
    Exported e("  input %x : f32[2,4]\n  parameter %view_4 : f32[1,4]\n  %s = expand(%view_4) : f32[2,4]\n"
               "  %y = add(%x, %s) : f32[2,4]\n  %z = add(%y, %s) : f32[2,4]\n  return z=%z\n");
    e.folded("view_4", {"l.0.sinks", "val_3"});
    e.call("expand", "aten.expand", {"%view_4", "[2, 4]"}, "l.0").call("y", "aten.add", {"%x", "%expand"}, "l.0");
    e.call("z", "aten.add", {"%y", second}, "l.1");
    EXPECT_EQ(e.separated(), llvm::StringRef(operands) == "view_4" ? "" : "l.1.sinks");
    const Node &last = e.graph.node(e.graph.last());
    const Node &expand = *e.graph.producer(last.operands[1]);
    EXPECT_EQ(e.graph.value(expand.operands[0]).name, operands);
  }
}

TEST(RestoreBiases, OfZeros) {
  Exported e("  input %x : f32[2,4]\n  parameter %w : f32[4,3]\n"
             "  %y = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[2,3]\n  return y=%y\n");
  e.parameter("w", "p_h_fc_weight").call("y", "aten.addmm", {"%p_h_fc_bias", "%x", "%p_h_fc_weight"}, "h.fc");
  std::vector<std::string> restored;
  llvm::cantFail(restoreBiases(e.graph, e.facts, restored));
  EXPECT_EQ(restored, std::vector<std::string>{"h.fc.bias"});
  EXPECT_EQ(e.operands(1), "y h.fc.bias");
  const Value &bias = e.graph.value(e.graph.node(e.graph.order()[1]).operands[1]);
  EXPECT_EQ(bias.type.text(), "f32[3]");
  EXPECT_EQ(toArray(*bias.contents).data, std::vector<double>(3, 0));
  EXPECT_EQ(e.graph.outputs[0].value, e.graph.node(e.graph.order()[1]).results[0]);
  EXPECT_EQ(e.verdict("h.fc.bias"), "trained: PARAMETER");
}

TEST(SourceNames, SignaturesAndModulesGiveBackTheDots) {
  for (const auto &[signature, modules, name] : {std::tuple(true, false, "teacher.0_a.weight"),
                                                 {false, true, "teacher.0.a_weight"},
                                                 {false, false, "teacher_0_a_weight"}}) {
    Exported e("  input %x : f32[2,4]\n  parameter %w : f32[4]\n  %y = mul(%x, %w) : f32[2,4]\n"
               "  %z = mul(%y, %w) : f32[2,4]\n  return z=%z\n");
    e.parameter("w", "p_w")
        .call("y", "aten.mul", {"%x", "%p_w"}, "")
        .call("z", "aten.mul", {"%y", "%p_teacher_0_a_weight"}, "");
    if (signature) e.source("teacher.0_a.weight", "p_teacher_0_a_weight");
    if (modules) e.folded("val_9", {"teacher.0.b.weight"});
    EXPECT_EQ(e.separated(), name);
  }
}

/// Groups have products of their own, whose columns are a part of the channels.
TEST(RestoreBiases, OfConvolutionsInGroups) {
  Exported e(
      "  input %p : f32[3,10,4]\n  parameter %w : f32[3,4,2]\n"
      "  %m = matmul(%p, %w) {trans_a=0, trans_b=0} : f32[3,10,2]\n  %t = transpose(%m) {perm=[1,0,2]} : f32[10,3,2]\n"
      "  %r = reshape(%t) : f32[2,5,6]\n  %y = transpose(%r) {perm=[0,2,1]} : f32[2,6,5]\n  return y=%y\n");
  for (int node = 0; node < 4; ++node)
    e.facts.nodes.push_back({0, "c"});
  e.facts.calls.push_back(
      {"conv1d", "aten.conv1d", {"%x", "%p_c_weight", "%p_c_bias", "[1]", "[1]", "[1]", "3"}, {"", "c"}});
  e.parameter("w", "p_c_weight");
  std::vector<std::string> restored;
  llvm::cantFail(restoreBiases(e.graph, e.facts, restored));
  EXPECT_EQ(restored, std::vector<std::string>{"c.bias"});
  const Node &sum = *e.graph.producer(e.graph.node(e.graph.last()).operands[0]);
  EXPECT_EQ(sum.op, "add");
  EXPECT_EQ(e.graph.value(sum.operands[1]).type.text(), "f32[6]");
}

/// The result of a transposed one may have its channels in front from the start.
TEST(RestoreBiases, OfChannelsThatStandInFront) {
  Exported e("  input %x : f32[2,5,4]\n  parameter %w : f32[4,6]\n"
             "  %m = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[2,5,6]\n  %r = reshape(%m) : f32[2,5,3,2]\n"
             "  %t = transpose(%r) {perm=[0,2,1,3]} : f32[2,3,5,2]\n  %y = reshape(%t) : f32[2,3,10]\n  return y=%y\n");
  for (int node = 0; node < 4; ++node)
    e.facts.nodes.push_back({0, "c"});
  e.facts.calls.push_back({"convolution", "aten.convolution", {"%x", "%p_c_weight", "%p_c_bias"}, {"", "c"}});
  e.parameter("w", "p_c_weight");
  std::vector<std::string> restored;
  llvm::cantFail(restoreBiases(e.graph, e.facts, restored));
  const Node &sum = *e.graph.producer(e.graph.outputs[0].value);
  EXPECT_EQ(e.graph.type(sum.operands[1]).text(), "f32[3,1]");
  EXPECT_EQ(e.graph.type(e.graph.producer(sum.operands[1])->operands[0]).text(), "f32[3]");
}

TEST(RestoreTables, ALookupThatWasFoldedForEachSample) {
  Exported e("  input %x : f32[2,3,2]\n  parameter %embedding_1 : f32[2,3,2]\n"
             "  %y = add(%x, %embedding_1) : f32[2,3,2]\n  return y=%y\n");
  e.folded("embedding_1", {"kinds.weight", "token_type_ids", "slice_1"});
  Array rows(e.graph.type(1));
  rows.data = {1, 2, 3, 4, 1, 2, 1, 2, 3, 4, 1, 2};
  e.graph.value(1).contents = toTensor(rows);
  e.call("y", "aten.add", {"%x", "%embedding_1"}, "");
  std::vector<std::string> restored;
  llvm::cantFail(restoreTables(e.graph, e.facts, restored));
  EXPECT_EQ(restored, std::vector<std::string>{"kinds.weight"});
  const Node &lookup = *e.graph.producer(e.graph.node(e.graph.order()[1]).operands[1]);
  EXPECT_EQ(toArray(*e.graph.value(lookup.operands[0]).contents).data, (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(toArray(*e.graph.value(lookup.operands[1]).contents).data, (std::vector<double>{0, 1, 0, 0, 1, 0}));
  EXPECT_EQ(e.verdict("kinds.weight"), "trained: a view of kinds.weight");
}

TEST(FindTies, AWeightThatWasWrittenForEachUse) {
  Exported e("  input %x : f32[2,4]\n  parameter %val_1 : f32[4,4]\n  parameter %val_2 : f32[4,4]\n"
             "  %y = matmul(%x, %val_1) {trans_a=0, trans_b=0} : f32[2,4]\n"
             "  %z = matmul(%y, %val_2) {trans_a=0, trans_b=0} : f32[2,4]\n  return z=%z\n");
  e.call("y", "aten.linear", {"%x", "%p_b_q_weight"}, "b.q").call("z", "aten.linear", {"%y", "%p_b_q_weight"}, "b.q");
  llvm::StringMap<std::string> moduleNames;
  const std::vector<Tie> ties = findTies(e.graph, e.facts, moduleNames);
  ASSERT_EQ(ties.size(), 1u);
  EXPECT_EQ(ties[0].copy + " = " + ties[0].of, "val_2 = val_1");
  EXPECT_EQ(moduleNames.lookup("val_2"), "b.q.weight");
}

/// TorchScript gives one of equal contents a second name.
TEST(FindTies, CopiesWithinAModuleThatIsCalledAgain) {
  for (const auto &[second, isTied] : {std::pair("b.q_1", true), {"c.q", false}}) {
    Exported e("  input %x : f32[2,4]\n  parameter %onnx::MatMul_1 : f32[4,4]\n  parameter %onnx::MatMul_2 : f32[4,4]\n"
               "  %y = matmul(%x, %onnx::MatMul_1) {trans_a=0, trans_b=0} : f32[2,4]\n"
               "  %z = matmul(%y, %onnx::MatMul_2) {trans_a=0, trans_b=0} : f32[2,4]\n  return z=%z\n");
    e.facts.exporter = Exporter::TorchScript;
    e.facts.nodes = {{kNone, "b.q"}, {kNone, second}};
    e.facts.copies = {{"onnx::MatMul_2", "onnx::MatMul_1"}};
    llvm::StringMap<std::string> moduleNames;
    EXPECT_EQ(findTies(e.graph, e.facts, moduleNames).size(), size_t(isTied)) << second;
  }
}

TEST(MarkPadding, TheRowOfNoToken) {
  Exported e("  input %ids : i64[2]\n  parameter %e.weight : f32[9,4]\n  %y = gather(%e.weight, %ids) : f32[2,4]\n"
             "  return y=%y\n");
  e.parameter("e.weight", "p_e_weight").call("y", "aten.embedding", {"%p_e_weight", "%ids", "1"}, "e");
  std::vector<std::string> perhaps;
  llvm::cantFail(markPadding(e.graph, e.facts, perhaps));
  EXPECT_EQ(e.graph.node(e.graph.first()).attributes.integer("padding_row", -1), 1);
  EXPECT_TRUE(perhaps.empty());
  e.facts = {};
  e.facts.exporter = Exporter::TorchScript;
  Array table(e.graph.type(1));
  std::fill(table.data.begin(), table.data.end() - 4, 0.5); // all rows but the last
  e.graph.value(1).contents = toTensor(table);
  llvm::cantFail(markPadding(e.graph, e.facts, perhaps));
  EXPECT_EQ(perhaps, std::vector<std::string>{"row 8 of e.weight"});
}

TEST(ExporterVerdicts, WhatFoldingReadAndHow) {
  Exported e("  input %x : f32[2,4]\n  parameter %neg : f32[4]\n  parameter %view : f32[1,4]\n"
             "  parameter %masked_fill : f32[4]\n  parameter %cos : f32[4]\n  parameter %buf : f32[4]\n"
             "  %a = mul(%x, %neg) : f32[2,4]\n  %b = mul(%a, %view) : f32[2,4]\n"
             "  %c = add(%b, %masked_fill) : f32[2,4]\n  %d = mul(%c, %cos) : f32[2,4]\n"
             "  %e = mul(%d, %buf) : f32[2,4]\n  return e=%e\n");
  e.folded("neg", {"A_log", "exp"}).folded("view", {"l.gain.weight", "val_1"});
  e.folded("masked_fill", {"arange", "ge", "val_3", "zeros"}).folded("cos", {"rope.inv_freq", "arange", "mul_2"});
  e.facts.tensors["buf"] = {TensorKind::Buffer, "b_buf", {}};
  e.call("a", "aten.mul", {"%x", "%neg"}, "").call("b", "aten.mul", {"%a", "%view"}, "l.gain");
  e.call("c", "aten.add", {"%b", "%masked_fill"}, "").call("d", "aten.mul", {"%c", "%cos"}, "");
  e.call("e", "aten.mul", {"%d", "%b_buf"}, "");
  EXPECT_EQ(e.verdict("neg"), "lost: folded from A_log by a formula");
  EXPECT_EQ(e.verdict("view"), "trained: a view of l.gain.weight");
  EXPECT_EQ(e.verdict("masked_fill"), "constant: computed from no parameter");
  EXPECT_EQ(e.verdict("cos"), "constant: sines of positions and rope.inv_freq");
  EXPECT_EQ(e.verdict("buf"), "constant: BUFFER");
}

/// A norm of running statistics that was multiplied into the product before it.
TEST(ExporterVerdicts, AProductThatANormWasMultipliedInto) {
  Exported e("  input %x : f32[2,4]\n  parameter %f.weight : f32[4,3]\n  parameter %f.bias : f32[3]\n"
             "  %m = matmul(%x, %f.weight) {trans_a=0, trans_b=0} : f32[2,3]\n  %y = add(%m, %f.bias) : f32[2,3]\n"
             "  return y=%y\n");
  e.facts.nodes = {{0, "bn"}, {0, "bn"}};
  e.facts.calls.push_back({"bn",
                           "aten._native_batch_norm_legit_no_training",
                           {"%linear", "%p_bn_weight", "%p_bn_bias", "%b_bn_mean", "%b_bn_var", "0.1", "1e-05"},
                           {"", "bn"}});
  e.source("f.weight", "p_f_weight").source("f.bias", "p_f_bias").source("bn.weight", "p_bn_weight");
  EXPECT_EQ(e.verdict("f.weight"), "lost: computed from bn.weight, bn.bias");
  EXPECT_EQ(e.verdict("f.bias"), "lost: computed from bn.weight, bn.bias");
  EXPECT_EQ(e.merged(), "");
}

TEST(ExporterVerdicts, AConvolutionThatTorchScriptRenamed) {
  Exported e("  input %x : f32[2,4]\n  parameter %onnx::Conv_18 : f32[4,3]\n  parameter %onnx::MatMul_7 : f32[3,3]\n"
             "  %y = matmul(%x, %onnx::Conv_18) {trans_a=0, trans_b=0} : f32[2,3]\n"
             "  %z = matmul(%y, %onnx::MatMul_7) {trans_a=0, trans_b=0} : f32[2,3]\n  return z=%z\n");
  e.facts.exporter = Exporter::TorchScript;
  EXPECT_EQ(e.verdict("onnx::Conv_18"), "lost: computed by the exporter, as a norm is into the convolution before it");
  EXPECT_EQ(e.verdict("onnx::MatMul_7"), "nothing");
}

/// Two heads of equal weights over one input, of which the exporter made one.
TEST(CheckMerged, LayersOverOneInput) {
  auto heads = [](const std::string &first, const std::string &second, const std::string &last) {
    Exported e("  input %x : f32[2,4]\n  parameter %a.weight : f32[4,3]\n"
               "  %l = matmul(%x, %a.weight) {trans_a=0, trans_b=0} : f32[2,3]\n  %t = " +
               first + "(%l) : f32[2,3]\n  %u = exp(%t) : f32[2,3]\n  %z = add(%u, %t) : f32[2,3]\n  return z=%z\n");
    e.parameter("a.weight", "p_a_weight").call("linear", "aten.linear", {"%x", "%p_a_weight"}, "a");
    e.call(first, "aten." + first, {"%linear"}, "").call("exp", "aten.exp", {"%" + first}, "");
    e.call("add", "aten.add", {"%exp", "%" + second}, "");
    e.source("a.weight", "p_a_weight").source(last, "p_b");
    return e.merged();
  };
  EXPECT_EQ(heads("tanh", "tanh_1", "b.weight"), "b.weight");
  EXPECT_EQ(heads("reshape", "reshape_1", "b.weight"), "b.weight");
  EXPECT_EQ(heads("tanh", "tanh", "b.weight"), "") << "it is not used";
  EXPECT_EQ(heads("tanh", "tanh_1", "b.gain"), "") << "it is of no such layer";
  EXPECT_EQ(heads("tanh", "clone", "b.weight"), "") << "a copy was left out";
}

/// A module whose call names another's parameter is tied; a mask that was folded stands for nothing that was merged.
TEST(CheckMerged, TiedWeightsAndFoldedMasksAreNone) {
  for (bool isFolded : {false, true}) {
    Exported e("  input %x : f32[2,4]\n  parameter %a.weight : f32[4,4]\n  parameter %val_5 : f32[2,4]\n"
               "  %l = matmul(%x, %a.weight) {trans_a=0, trans_b=0} : f32[2,4]\n  %m = expand(%l) : f32[2,4]\n"
               "  %z = add(%m, %val_5) : f32[2,4]\n  return z=%z\n");
    e.parameter("a.weight", "p_a_weight").source("a.weight", "p_a_weight").source("b.weight", "p_b_weight");
    e.call("linear", "aten.linear", {"%x", "%p_a_weight"}, isFolded ? "a" : "b")
        .call("expand_1", "aten.expand", {"%linear"}, "");
    e.call("out", "aten.attention", {isFolded ? "%view" : "%expand_1", "%expand"}, "");
    EXPECT_EQ(e.merged(), "") << isFolded;
  }
}

/// Products of equal weights are one, and their biases differ.
TEST(CheckMerged, AWeightThatACallNamesAndNoNodeHas) {
  Exported e("  input %x : f32[2,4]\n  parameter %a.weight : f32[4,3]\n  parameter %a.bias : f32[3]\n"
             "  parameter %b.bias : f32[3]\n  %m = matmul(%x, %a.weight) {trans_a=0, trans_b=0} : f32[2,3]\n"
             "  %y = add(%m, %a.bias) : f32[2,3]\n  %z = add(%m, %b.bias) : f32[2,3]\n  return y=%y, z=%z\n");
  e.parameter("a.weight", "p_a_weight").parameter("a.bias", "p_a_bias").parameter("b.bias", "p_b_bias");
  e.facts.nodes = {{0, "a"}, {0, "a"}, {1, "b"}};
  e.facts.calls = {{"linear", "aten.linear", {"%x", "%p_a_weight", "%p_a_bias"}, {"", "a"}},
                   {"linear_1", "aten.linear", {"%x", "%p_b_weight", "%p_b_bias"}, {"", "b"}}};
  EXPECT_EQ(e.merged(), "b.weight");
}

TEST(CheckLosses, ASmoothingThatTheExporterLeftOutIsRefused) {
  auto refusal = [](Arguments arguments) {
    Exported e("  input %x : f32[2,4]\n  input %l : i64[2]\n"
               "  %s, %c, %r = cross_entropy(%x, %l) {ignore_index=-100} : f32[], f32[], f32[2]\n  return s=%s\n");
    e.call("loss", "aten.cross_entropy_loss", std::move(arguments), "m");
    llvm::Error error = checkLosses(e.graph, e.facts);
    return error ? describe(std::move(error)) : std::string();
  };
  EXPECT_NE(refusal({"%x", "%l", "None", "1", "-100", "0.1"}).find("label_smoothing of 0.1"), std::string::npos);
  EXPECT_EQ(refusal({"%x", "%l", "None", "1", "-100", "0.0"}), "");
  EXPECT_EQ(refusal({"%x", "%l"}), "");
}

} // namespace
} // namespace autotp
