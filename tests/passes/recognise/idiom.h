/// \file Hand-built graphs for the idiom tests, in f64, and the comparison of a graph with itself before a pass.
#pragma once

#include "compiler/ir/print.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/verify.h"
#include "runtime/base/error.h"

#include "gtest/gtest.h"

#include <random>

namespace autotp::idiom {

using Values = llvm::ArrayRef<ValueId>;

/// A graph under construction: short names for the operators that exporters write.
struct Made {
  Graph graph;
  Builder b{graph};

  ValueId input(llvm::StringRef name, Shape shape) { return graph.addInput(name, Type{DType::F64, std::move(shape)}); }
  ValueId parameter(llvm::StringRef name, Shape shape) {
    return graph.addParameter(name, Type{DType::F64, std::move(shape)});
  }
  ValueId number(double v) { return b.scalar(DType::F64, v); }
  ValueId constant(Shape shape, std::function<double(int64_t)> at, DType dtype = DType::F64) {
    Array array(Type{dtype, std::move(shape)});
    for (size_t i = 0; i < array.data.size(); ++i)
      array.data[i] = at(int64_t(i));
    return graph.addConstant("c", toTensor(array));
  }
  ValueId make(llvm::StringRef op, llvm::ArrayRef<ValueId> in, Attributes a = {}) {
    return b.make(op, in, std::move(a));
  }
  ValueId mul(ValueId x, ValueId y) { return make("mul", {x, y}); }
  ValueId mul(ValueId x, double y) { return mul(x, number(y)); }
  ValueId div(ValueId x, ValueId y) { return make("div", {x, y}); }
  ValueId add(ValueId x, ValueId y) { return make("add", {x, y}); }
  ValueId slice(ValueId x, int64_t axis, int64_t start, int64_t length) {
    return make("slice", {x}, {{"axis", axis}, {"length", length}, {"start", start}, {"step", int64_t(1)}});
  }
  ValueId expand(ValueId x, Shape shape) {
    return b.makeTyped("expand", {x}, Type{graph.type(x).dtype, std::move(shape)});
  }
  ValueId cast(ValueId x) { return b.makeTyped("cast", {x}, Type(graph.type(x))); }
  ValueId mean(ValueId x) {
    const Shape shape = graph.type(x).shape;
    llvm::SmallVector<int64_t, 6> axes = {int64_t(shape.size()) - 1};
    return mul(make("reduce_sum", {x}, {{"axes", axes}, {"keepdims", int64_t(1)}}), 1.0 / double(shape.back()));
  }
  void output(ValueId v) { graph.outputs.push_back({"y" + std::to_string(graph.outputs.size()), v}); }
};

inline std::vector<Array> evaluateOutputs(const Graph &graph) {
  llvm::DenseMap<ValueId, Array> sources;
  std::mt19937 random(7);
  for (ValueKind kind : {ValueKind::Input, ValueKind::Parameter})
    for (ValueId id : graph.sources(kind)) {
      Array array(graph.type(id));
      for (double &v : array.data)
        v = double(random() % 2001) / 1000.0 - 1;
      if (array.type.dtype == DType::Bool)
        for (double &v : array.data)
          v = v > -0.5;
      sources[id] = array;
    }
  std::vector<Array> values = llvm::cantFail(evaluateGraph(graph, sources)), outputs;
  for (const Output &output : graph.outputs)
    outputs.push_back(values[output.value]);
  return outputs;
}

inline unsigned countOf(const Graph &graph, llvm::StringRef op) {
  return unsigned(llvm::count_if(graph.order(), [&](NodeId id) { return graph.node(id).is(op); }));
}

using Pass = llvm::Error (*)(Graph &);

/// Runs `pass`; the graph stays valid and computes what it did. NaN rows may become 0.
inline void run(Graph &graph, Pass pass, bool mayMendNan = false) {
  std::vector<Array> before = evaluateOutputs(graph);
  std::string text = printed(graph);
  ASSERT_FALSE(bool(pass(graph)));
  llvm::Error error = verify(graph);
  ASSERT_FALSE(bool(error)) << describe(std::move(error)) << printed(graph);
  std::vector<Array> after = evaluateOutputs(graph);
  ASSERT_EQ(before.size(), after.size());
  for (size_t k = 0; k < before.size(); ++k) {
    ASSERT_EQ(before[k].type.text(), after[k].type.text());
    for (size_t i = 0; i < before[k].data.size(); ++i) {
      if (mayMendNan && std::isnan(before[k].data[i])) before[k].data[i] = 0;
      ASSERT_NEAR(before[k].data[i], after[k].data[i], 1e-12) << text << printed(graph);
    }
  }
}

/// The pass leaves `op` exactly `count` times.
inline void expectCount(Made &made, Pass pass, llvm::StringRef op, unsigned count) {
  run(made.graph, pass);
  EXPECT_EQ(countOf(made.graph, op), count) << printed(made.graph);
}

} // namespace autotp::idiom
