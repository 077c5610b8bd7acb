/// \file Every operator alone, as the tests of placements run it.
#pragma once

#include "tests/compiler/ops/op_case.h"
#include "tests/compiler/sharding/sharded_run.h"

namespace autotp::test {

/// An example of an operator, with the gradients of its operands, over parameters and fed integers.
struct Example {
  std::string name;
  Graph graph;
  Sources sources;
};
Example exampleOf(const optest::OpCase &c, unsigned seed);

/// An operator on whole operands.
struct OperatorCall {
  std::string op;
  std::vector<Array> operands;
  Attributes attributes;
  llvm::SmallVector<Type, 2> results;
  std::string text() const; ///< "matmul [2,3] [3,4] {trans_a 0, trans_b 0}"
};

/// All operators that work on parts of values, those of gradients too; every call once.
std::vector<OperatorCall> operatorCalls();

/// A call as a graph of one node, and its axes.
struct OneOperator {
  explicit OneOperator(const OperatorCall &call);
  Graph graph;
  NodeId node;
  GraphAxes axes;
};

} // namespace autotp::test
