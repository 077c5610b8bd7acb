// Gradients of every differentiable row against central differences, in f64.
#include "op_case.h"

#include "llvm/ADT/StringSet.h"

namespace autotp::optest {

namespace {

/// Weights of the scalar loss: sum of result 0 times these.
Array weightsFor(const Type &type) {
  Array weights(type);
  for (size_t i = 0; i < weights.data.size(); ++i)
    weights.data[i] = 0.3 + 0.1 * double(i * 7 % 11);
  return weights;
}

double lossOf(BuiltCase &built, const Array &weights) {
  Array y = built.evaluate(built.results[0]);
  double loss = 0;
  for (size_t i = 0; i < y.data.size(); ++i)
    loss += y.data[i] * weights.data[i];
  return loss;
}

void checkGradient(const OpCase &c) {
  BuiltCase built(c);
  ASSERT_FALSE(built.results.empty());
  Array weights = weightsFor(built.graph.type(built.results[0]));
  NodeId node = built.graph.value(built.results[0]).producer;
  llvm::SmallVector<ValueId, 4> arriving(built.results.size(), kNone), leaving(built.operands.size(), kNone);
  arriving[0] = built.graph.addConstant("dy", toTensor(weights));
  Builder b(built.graph);
  findOp(c.op)->gradient(b, node, arriving, leaving);
  std::vector<Array> analytic = llvm::cantFail(evaluateGraph(built.graph, built.values));
  constexpr double kStep = 1e-5;
  for (size_t k = 0; k < leaving.size(); ++k) {
    if (leaving[k] == kNone) continue;
    ASSERT_EQ(built.graph.type(leaving[k]).text(), c.operands[k].type.text()) << c.op << " operand " << k;
    for (size_t i = 0; i < analytic[leaving[k]].data.size(); ++i) {
      double &x = built.values[built.operands[k]].data[i], kept = x;
      x = kept + kStep;
      double up = lossOf(built, weights);
      x = kept - kStep;
      double down = lossOf(built, weights);
      x = kept;
      double numeric = (up - down) / (2 * kStep), found = analytic[leaving[k]].data[i];
      EXPECT_NEAR(found, numeric, 1e-7 * (1 + std::fabs(numeric))) << c.op << " operand " << k << " element " << i;
    }
  }
}

TEST(Gradients, AgreeWithCentralDifferences) {
  for (const OpCase &c : gradientCases())
    checkGradient(c);
}

/// Every float operand gets a gradient but those that are constants by contract.
TEST(Gradients, ReachEveryOperand) {
  for (const OpCase &c : gradientCases()) {
    BuiltCase built(c);
    llvm::SmallVector<ValueId, 4> arriving(built.results.size(), kNone), leaving(built.operands.size(), kNone);
    arriving[0] = built.graph.addConstant("dy", toTensor(weightsFor(built.graph.type(built.results[0]))));
    Builder b(built.graph);
    findOp(c.op)->gradient(b, built.graph.value(built.results[0]).producer, arriving, leaving);
    bool isRotary = llvm::StringRef(c.op) == "rotary", isAttention = llvm::StringRef(c.op) == "attention";
    for (size_t k = 0; k < leaving.size(); ++k) {
      bool isConstant = !isFloat(c.operands[k].type.dtype) || (isRotary && k > 0) || (isAttention && k > 2);
      EXPECT_EQ(leaving[k] == kNone, isConstant) << c.op << " operand " << k;
    }
  }
}

TEST(Gradients, EveryDifferentiableRowHasACase) {
  llvm::StringSet<> covered;
  for (const OpCase &c : gradientCases())
    covered.insert(c.op);
  for (const OpDef *row : allOps())
    EXPECT_EQ(row->gradient != nullptr, covered.contains(row->name)) << row->name;
}

} // namespace
} // namespace autotp::optest
