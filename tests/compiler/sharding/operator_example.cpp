#include "tests/compiler/sharding/operator_example.h"

#include "compiler/ir/print.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

namespace autotp::test {

Example exampleOf(const optest::OpCase &c, unsigned seed) {
  optest::BuiltCase built(c);
  Example example;
  example.name = c.op;
  Graph &g = example.graph;
  llvm::SmallVector<ValueId, 4> operands;
  for (size_t k = 0; k < c.operands.size(); ++k) {
    const Type &type = c.operands[k].type;
    ValueId id = isFloat(type.dtype) ? g.addParameter("x", type) : g.addInput("i", type);
    if (isFloat(type.dtype)) g.parameters.push_back({id, {}});
    example.sources[id] = built.values[built.operands[k]];
    operands.push_back(id);
  }
  Builder b(g);
  auto results = llvm::cantFail(
      b.tryMake(c.op, operands, c.attributes, c.stated ? llvm::ArrayRef<Type>(*c.stated) : llvm::ArrayRef<Type>()));
  llvm::SmallVector<ValueId, 4> arriving(results.size(), kNone), leaving(operands.size(), kNone);
  arriving[0] = g.addParameter("dy", g.type(results[0]));
  g.parameters.push_back({arriving[0], {}});
  example.sources[arriving[0]] = randomSources(g, seed)[arriving[0]];
  findOp(c.op)->gradient(b, g.value(results[0]).producer, arriving, leaving);
  for (ValueId result : results)
    g.outputs.push_back({g.value(result).name, result});
  for (ValueId gradient : leaving)
    if (gradient != kNone) g.outputs.push_back({"d" + g.value(gradient).name, gradient});
  return example;
}

std::string OperatorCall::text() const {
  std::string text = op;
  for (const Array &operand : operands)
    text += llvm::formatv(" [{0:$[,]}]", llvm::make_range(operand.type.shape.begin(), operand.type.shape.end())).str();
  return text;
}

/// Rows without a gradient.
static std::vector<OperatorCall> otherCalls() {
  using optest::f64;
  std::vector<optest::OpCase> cases = {{"floor", {f64({3, 4}, -2, 2)}},
                                       {"is_nan", {optest::given({2, 3}, {0, NAN, 1, NAN, NAN, 2})}}};
  for (const char *op : {"equal", "less", "less_equal", "greater", "greater_equal"})
    cases.push_back({op, {optest::given({2, 3}, {0, 1, 2, 2, 1, 1}), optest::given({3}, {2, 1, 1})}});
  const optest::Operand flags = optest::given({2, 3}, {1, 0, 1, 0, 0, 1}, DType::Bool);
  cases.push_back({"not", {flags}});
  for (const char *op : {"and", "or"})
    cases.push_back({op, {flags, optest::given({3}, {1, 1, 0}, DType::Bool)}});
  std::vector<OperatorCall> calls;
  for (const optest::OpCase &c : cases) {
    optest::BuiltCase built(c);
    OperatorCall call{c.op, {}, c.attributes, {built.graph.type(built.results[0])}};
    for (ValueId operand : built.operands)
      call.operands.push_back(built.values[operand]);
    calls.push_back(std::move(call));
  }
  return calls;
}

std::vector<OperatorCall> operatorCalls() {
  std::vector<OperatorCall> calls = otherCalls();
  llvm::StringSet<> seen;
  unsigned seed = 200;
  for (const optest::OpCase &c : optest::gradientCases()) {
    Example example = exampleOf(c, ++seed);
    std::vector<Array> values = llvm::cantFail(evaluateGraph(example.graph, example.sources));
    for (NodeId id = example.graph.first(); id != kNone; id = example.graph.node(id).next) {
      const Node &node = example.graph.node(id);
      OperatorCall call{node.op.str(), {}, node.attributes, {}};
      for (ValueId operand : node.operands)
        call.operands.push_back(values[operand]);
      for (ValueId result : node.results)
        call.results.push_back(example.graph.type(result));
      const bool isMasked = node.is("attention_grad") && node.operands.size() > 6; // as without: half a million ways
      if (!call.operands.empty() && !isMasked && seen.insert(call.text()).second) calls.push_back(std::move(call));
    }
  }
  return calls;
}

OneOperator::OneOperator(const OperatorCall &call) {
  llvm::SmallVector<ValueId, 4> operands;
  for (const Array &operand : call.operands)
    operands.push_back(isFloat(operand.type.dtype) ? graph.addParameter("x", operand.type)
                                                   : graph.addInput("i", operand.type));
  llvm::cantFail(Builder(graph).tryMake(call.op, operands, call.attributes, call.results));
  node = graph.first();
  axes = findAxes(graph);
}

} // namespace autotp::test
