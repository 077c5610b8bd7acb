// Gradients of every differentiable row against central differences, in f64.
#include "op_case.h"

#include "llvm/ADT/StringSet.h"

namespace autotp::optest {

namespace {

/// Weights of the scalar loss: the sum of one result times these.
Array weightsFor(const Type &type) {
  Array weights(type);
  for (size_t i = 0; i < weights.data.size(); ++i)
    weights.data[i] = 0.3 + 0.1 * double(i * 7 % 11);
  return weights;
}

double lossOf(BuiltCase &built, size_t result, const Array &weights) {
  Array y = built.evaluate(built.results[result]);
  double loss = 0;
  for (size_t i = 0; i < y.data.size(); ++i)
    loss += y.data[i] * weights.data[i];
  return loss;
}

/// Of what arrives at result `result` alone.
void checkGradient(const OpCase &c, size_t result) {
  BuiltCase built(c);
  Array weights = weightsFor(built.graph.type(built.results[result]));
  NodeId node = built.graph.value(built.results[0]).producer;
  llvm::SmallVector<ValueId, 4> arriving(built.results.size(), kNone), leaving(built.operands.size(), kNone);
  arriving[result] = built.graph.addConstant("dy", toTensor(weights));
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
      double up = lossOf(built, result, weights);
      x = kept - kStep;
      double down = lossOf(built, result, weights);
      x = kept;
      double numeric = (up - down) / (2 * kStep), found = analytic[leaving[k]].data[i];
      EXPECT_NEAR(found, numeric, 1e-7 * (1 + std::fabs(numeric)))
          << c.op << " result " << result << " operand " << k << " element " << i;
    }
  }
}

/// Results through which gradients go back.
std::vector<size_t> smoothResults(const OpCase &c) {
  BuiltCase built(c);
  std::vector<size_t> smooth;
  for (size_t j = 0; j < built.results.size(); ++j)
    if (isFloat(built.graph.type(built.results[j]).dtype) && !(findOp(c.op)->savedResults >> j & 1))
      smooth.push_back(j);
  return smooth;
}

TEST(Gradients, AgreeWithCentralDifferences) {
  for (const OpCase &c : gradientCases())
    for (size_t result : smoothResults(c))
      checkGradient(c, result);
}

void expectAllReached(const OpCase &c, size_t result) {
  BuiltCase built(c);
  llvm::SmallVector<ValueId, 4> arriving(built.results.size(), kNone), leaving(built.operands.size(), kNone);
  arriving[result] = built.graph.addConstant("dy", toTensor(weightsFor(built.graph.type(built.results[result]))));
  Builder b(built.graph);
  findOp(c.op)->gradient(b, built.graph.value(built.results[0]).producer, arriving, leaving);
  for (size_t k = 0; k < leaving.size(); ++k)
    EXPECT_EQ(leaving[k] == kNone, !isFloat(c.operands[k].type.dtype)) << c.op << " operand " << k;
}

/// Every operand of floats gets a gradient, whichever result the loss depends on.
TEST(Gradients, ReachEveryOperand) {
  for (const OpCase &c : gradientCases())
    for (size_t result : smoothResults(c))
      expectAllReached(c, result);
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
