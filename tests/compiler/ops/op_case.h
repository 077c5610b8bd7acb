/// \file One example of an operator row: operands by shape or value, for the tests of shapes, values and gradients.
#pragma once

#include "compiler/ops/evaluate.h"
#include "runtime/base/error.h"

#include "gtest/gtest.h"

#include <random>

namespace autotp::optest {

struct Operand {
  Type type;
  std::vector<double> values; ///< empty: random in [low, high]
  double low = -1, high = 1;
};

inline Operand f64(Shape shape, double low = -1, double high = 1) {
  return {Type{DType::F64, std::move(shape)}, {}, low, high};
}
inline Operand given(Shape shape, std::vector<double> values, DType dtype = DType::F64) {
  return {Type{dtype, std::move(shape)}, std::move(values)};
}

struct OpCase {
  const char *op;
  std::vector<Operand> operands;
  Attributes attributes = {};
  std::optional<Type> stated = {};
};

/// The case as a graph of one node; operands are inputs, with their values.
struct BuiltCase {
  Graph graph;
  llvm::SmallVector<ValueId, 4> operands, results;
  llvm::DenseMap<ValueId, Array> values;

  explicit BuiltCase(const OpCase &c) {
    std::mt19937 random(11);
    for (const Operand &operand : c.operands) {
      ValueId id = graph.addInput("x", operand.type);
      Array array(operand.type);
      for (double &v : array.data)
        v = operand.low + (operand.high - operand.low) * double(random() % 100001) / 100000.0;
      if (!operand.values.empty()) array.data = operand.values;
      operands.push_back(id);
      values[id] = array;
    }
    Builder b(graph);
    auto made =
        b.tryMake(c.op, operands, c.attributes, c.stated ? llvm::ArrayRef<Type>(*c.stated) : llvm::ArrayRef<Type>());
    if (!made) {
      ADD_FAILURE() << c.op << ": " << describe(made.takeError());
      return;
    }
    results.assign(made->begin(), made->end());
  }

  Array evaluate(ValueId id) { return llvm::cantFail(evaluateGraph(graph, values))[id]; }
};

/// Attributes in one word.
inline llvm::SmallVector<int64_t, 6> list(std::initializer_list<int64_t> values) { return values; }

/// A case for each differentiable row, at least.
std::vector<OpCase> gradientCases();

} // namespace autotp::optest
