// By which name a tensor fills a parameter, and how it lies: what the exporter shows decides, and never a square's shape.
#include "passes/import/match_weights.h"
#include "runtime/base/error.h"
#include "runtime/plan/safetensors.h"
#include "tests/compiler/ir/parsed_graph.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

using Shapes = std::map<std::string, std::vector<int64_t>>;

/// A product of %x with the matrix %w, which a call of the exported program names.
struct Product {
  Graph graph;
  ExporterFacts facts;
  llvm::StringMap<std::string> moduleNames;
  std::vector<std::string> separated;

  explicit Product(const std::string &matrix, const std::string &name = "val_1", const std::string &attributes = "")
      : graph(graphOf("graph {\n  input %x : f32[2,4]\n  parameter %" + name + " : f32[" + matrix +
                      "]\n  %y = matmul(%x, %" + name + ") {trans_a=0, trans_b=" +
                      (attributes.empty() ? "0" : attributes) + "} : f32[2,4]\n  return y=%y\n}\n")) {
    facts.exporter = Exporter::Dynamo;
  }
  Product &call(const std::string &target, std::vector<std::string> arguments, const std::string &module) {
    facts.nodes.push_back({0, module});
    facts.calls.push_back({"y", target, std::move(arguments), {"", module}});
    return *this;
  }
  /// The initializer was folded from a parameter, and is called so by nobody else.
  Product &folded(const std::string &from) {
    const std::string &name = graph.value(initializer()).name;
    facts.tensors[name] = {{}, "", {from}};
    moduleNames[name] = from;
    return *this;
  }
  ValueId initializer() const { return graph.sources(ValueKind::Parameter)[0]; }

  WeightOrigin origin() const {
    return weightOrigins(graph, facts, {moduleNames, separated, {}}).at(graph.value(initializer()).name);
  }
  /// "transposed", "same", or what is wrong.
  std::string match(const Shapes &file, WeightLayout said = WeightLayout::FromNames) const {
    const test::TemporaryFolder folder;
    std::vector<NamedTensor> tensors;
    const std::vector<uint8_t> zeros(1 << 10);
    for (const auto &[name, shape] : file) {
      size_t bytes = 4;
      for (int64_t size : shape)
        bytes *= size_t(size);
      tensors.push_back({name, DType::F32, shape, llvm::makeArrayRef(zeros).take_front(bytes)});
    }
    const std::string path = folder.path() + "/w.safetensors";
    llvm::cantFail(writeSafetensors(path, tensors));
    const auto stored = llvm::cantFail(StoredWeights::open("--weights", path));
    const auto origins = weightOrigins(graph, facts, {moduleNames, separated, {}});
    const MatchedWeights matched = matchWeights(graph, {initializer()}, origins, *stored, said);
    const WeightMatch &match = matched.byInitializer.begin()->second;
    if (match.fault == WeightFault::None) return match.isTransposed ? "transposed" : "same";
    WeightFaults faults(*stored);
    faults.add(match, graph, initializer(), origins);
    return describe(faults.take());
  }
};

constexpr const char *kSquare = "4,4";

TEST(WeightMatches, ALinearsSquareIsTransposedByItsCall) {
  Product p = Product(kSquare).folded("m.weight").call("aten.linear", {"%x", "%p_m_weight"}, "m");
  EXPECT_EQ(p.match({{"m.weight", {4, 4}}}), "transposed");
  EXPECT_EQ(p.match({{"wrapped.m.weight", {4, 4}}}), "transposed");
  EXPECT_EQ(p.match({{"val_1", {4, 4}}}), "same"); // which only a plan of this graph calls so
  EXPECT_EQ(p.match({{"m.weight", {4, 4}}}, WeightLayout::Graph).find("error: "), 0u);
}

TEST(WeightMatches, AProductThatTurnsItsOperandHasItAsTheModule) {
  EXPECT_EQ(Product(kSquare, "val_1", "1")
                .folded("m.weight")
                .call("aten.linear", {"%x", "%p_m_weight"}, "m")
                .match({{"m.weight", {4, 4}}}),
            "same");
  EXPECT_EQ(Product(kSquare)
                .folded("m.weight")
                .call("aten.addmm", {"%p_m_bias", "%x", "%p_m_weight"}, "m")
                .match({{"m.weight", {4, 4}}}),
            "same");
}

TEST(WeightMatches, ASquareOfWhichNothingIsSaidIsRefused) {
  Product square = Product(kSquare).folded("m.weight").call("custom.product", {"%x", "%view"}, "m");
  EXPECT_NE(square.match({{"m.weight", {4, 4}}}).find("the exporter does not say how it made these initializers"),
            std::string::npos);
  EXPECT_NE(square.match({{"m.weight", {4, 4}}}).find("\n    val_1 (m.weight) [4, 4]\n"), std::string::npos);
}

TEST(WeightMatches, AnUnsquareMatrixIsConfirmedByItsShape) {
  Product p = Product("4,4").folded("m.weight");
  p.graph.value(p.initializer()).type.shape = {4, 6}; // the shapes alone are read here
  p.call("custom.product", {"%x", "%view"}, "m");
  EXPECT_EQ(p.match({{"m.weight", {6, 4}}}), "transposed");
  EXPECT_EQ(p.match({{"m.weight", {4, 6}}}), "same");
  EXPECT_NE(p.match({{"m.weight", {4, 5}}}).find("val_1 (m.weight) [4, 6]: m.weight is [4, 5]"), std::string::npos);
}

TEST(WeightMatches, AMatrixThatWasTakenApartHasTheModulesNameAndTheGraphsOrientation) {
  Product p = Product(kSquare, "m.weight").call("aten.linear", {"%x", "%p_m_weight"}, "m");
  p.facts.tensors["m.weight"] = {TensorKind::Parameter, "p_m_weight", {}};
  EXPECT_NE(p.match({{"m.weight", {4, 4}}}).find("the exporter does not say how"), std::string::npos);
  p.facts.calls[0].arguments[1] = "%view"; // of which the call says nothing: it kept its name
  EXPECT_EQ(p.match({{"m.weight", {4, 4}}}), "same");
  p.facts.calls[0].arguments[1] = "%p_m_weight";
  p.separated = {"m.weight"};
  EXPECT_EQ(p.match({{"m.weight", {4, 4}}}, WeightLayout::Torch), "transposed");
  EXPECT_EQ(p.match({{"m.weight", {4, 4}}}, WeightLayout::Graph), "same");
  EXPECT_NE(p.match({{"m.weight", {4, 4}}}).find("say it: --weights-layout torch, or --weights-layout graph"),
            std::string::npos);
}

TEST(WeightMatches, TorchScriptNamesWhatItTransposed) {
  Product p = Product(kSquare, "onnx::MatMul_7");
  p.facts.exporter = Exporter::TorchScript;
  p.moduleNames["onnx::MatMul_7"] = "m.weight";
  EXPECT_EQ(p.match({{"m.weight", {4, 4}}}), "transposed");
}

TEST(WeightMatches, WhatWasComputedIsNotTheParameter) {
  Product sum = Product(kSquare, "add_3").folded("m.weight").call("aten.matmul", {"%x", "%add_3"}, "m");
  EXPECT_NE(sum.match({{"m.weight", {4, 4}}}).find("the graph holds a formula of these parameters"), std::string::npos);
  Product rows = Product(kSquare, "embedding_1").folded("m.weight").call("aten.matmul", {"%x", "%embedding_1"}, "m");
  EXPECT_NE(rows.match({{"m.weight", {4, 4}}}).find("the graph holds rows that were looked up"), std::string::npos);
  Product turned = Product(kSquare, "permute").folded("w").call("aten.matmul", {"%x", "%permute"}, "m");
  EXPECT_EQ(turned.match({{"w", {4, 4}}}), "transposed");
}

TEST(WeightMatches, AModulesNameForItsWeightIsNotThatOfItsOther) {
  Graph graph =
      graphOf("graph {\n  input %x : f32[2,4]\n  parameter %m.other : f32[4,4]\n  parameter %m.weight : f32[4,4]\n"
              "  %y = matmul(%x, %m.other) {trans_a=0, trans_b=1} : f32[2,4]\n"
              "  %z = matmul(%y, %m.weight) {trans_a=0, trans_b=1} : f32[2,4]\n  return z=%z\n}\n");
  ExporterFacts facts;
  facts.exporter = Exporter::Dynamo;
  for (const char *leaf : {"other", "weight"}) {
    const std::string name = std::string("m.") + leaf, placeholder = std::string("p_m_") + leaf;
    facts.tensors[name] = {TensorKind::Parameter, placeholder, {}};
    facts.nodes.push_back({uint32_t(facts.calls.size()), "m"});
    facts.calls.push_back(
        {leaf == std::string("other") ? "y" : "z", "aten.linear", {"%x", "%" + placeholder}, {"", "m"}});
  }
  const llvm::StringMap<std::string> none;
  EXPECT_TRUE(weightOrigins(graph, facts, {none, {}, {}}).at("m.other").names.empty());
}

NamePrefix prefix(std::vector<llvm::StringRef> listed, const std::vector<std::string> &names) {
  llvm::sort(listed);
  return commonPrefix(listed, names);
}

TEST(CommonPrefix, IsTheOneUnderWhichMostNamesAgree) {
  const std::vector<std::string> wrapped = {"m.h.0.weight", "m.h.1.weight", "m.head.weight"};
  EXPECT_EQ(prefix({"h.0.weight", "h.1.weight", "head.weight"}, wrapped), (NamePrefix{"m.", false}));
  EXPECT_EQ(prefix({"x.m.h.0.weight", "x.m.h.1.weight"}, wrapped), (NamePrefix{"x.", true}));
  EXPECT_EQ(prefix({"m.h.0.weight", "weight", "h.1.weight"}, wrapped), NamePrefix()); // of equals the shortest
  EXPECT_EQ(prefix({"other"}, wrapped), NamePrefix());
  EXPECT_EQ((NamePrefix{"m.", false}).inFile("m.h.0.weight"), "h.0.weight");
  EXPECT_EQ((NamePrefix{"m.", false}).inFile("h.0.weight"), "");
  EXPECT_EQ((NamePrefix{"x.", true}).inFile("a"), "x.a");
  EXPECT_EQ(prefixBetween("eight", "m.weight"), std::nullopt); // a name ends at a dot
  EXPECT_EQ(prefixBetween("", "m.weight"), std::nullopt);
}

} // namespace
} // namespace autotp
