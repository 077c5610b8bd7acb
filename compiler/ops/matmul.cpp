// compiler/ops/matmul.cpp: products, their gradients and their epilogues.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"
#include "compiler/ops/fused.h"

namespace autotp {
namespace {

struct Sides {
  bool transA, transB;
  int64_t m, k, n;
  Shape batch;
};

llvm::Expected<Sides> sidesOf(const OpCall &call) {
  const Shape &a = call.operands[0].shape, &b = call.operands[1].shape;
  if (a.size() < 2 || b.size() < 2) return typeProblem("it needs operands of two dimensions or more");
  Sides s{call.attributes.integer("trans_a") != 0, call.attributes.integer("trans_b") != 0, 0, 0, 0, {}};
  s.m = a[a.size() - (s.transA ? 1 : 2)];
  s.k = a[a.size() - (s.transA ? 2 : 1)];
  s.n = b[b.size() - (s.transB ? 2 : 1)];
  if (s.k != b[b.size() - (s.transB ? 1 : 2)])
    return typeProblem("it sums over " + llvm::Twine(s.k) + " on the left and " +
                       llvm::Twine(b[b.size() - (s.transB ? 1 : 2)]) + " on the right");
  auto batch = broadcastShapes(llvm::ArrayRef<int64_t>(a).drop_back(2), llvm::ArrayRef<int64_t>(b).drop_back(2));
  if (!batch) return batch.takeError();
  s.batch = *batch;
  return s;
}

/// A product of small floats may stay as it is summed: in f32, if that is stated.
llvm::Expected<Types> inferMatMul(const OpCall &call) {
  llvm::Expected<Sides> s = sidesOf(call);
  if (!s) return s.takeError();
  if (call.operands[0].dtype != call.operands[1].dtype)
    return typeProblem("its operands are " + llvm::Twine(call.operands[0].text()) + " and " + call.operands[1].text());
  Shape shape = s->batch;
  shape.append({s->m, s->n});
  const bool isSummedOnly = !call.results.empty() && call.results[0].dtype == DType::F32;
  const DType own = call.operands[0].dtype;
  return Types{Type{isSummedOnly && isSmallFloat(own) ? DType::F32 : own, shape}};
}

void evaluateMatMul(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Sides s = llvm::cantFail(sidesOf(call));
  // Each matrix of a batch is one element of this walk.
  Type outerA{DType::F64, Shape(in[0]->type.shape.begin(), in[0]->type.shape.end() - 2)};
  Type outerB{DType::F64, Shape(in[1]->type.shape.begin(), in[1]->type.shape.end() - 2)};
  BroadcastWalk walk(s.batch, {outerA, outerB});
  while (walk.next()) {
    const double *a = in[0]->data.data() + walk.offsets[0] * s.m * s.k,
                 *b = in[1]->data.data() + walk.offsets[1] * s.k * s.n;
    double *c = out[0].data.data() + walk.index * s.m * s.n;
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j) {
        double sum = 0;
        for (int64_t p = 0; p < s.k; ++p)
          sum += a[s.transA ? p * s.m + i : i * s.k + p] * b[s.transB ? j * s.k + p : p * s.n + j];
        c[i * s.n + j] = sum;
      }
  }
}

/// With C = op(A) op(B), dA = dC op(B)^T and dB = op(A)^T dC, each in the orientation of the operand. If a weight of
/// two dimensions meets a batch, the batch is seen as more rows, so that its gradient is one product without a sum over
/// the batch.
void differentiateMatMul(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  ValueId left = b.graph.node(id).operands[0], right = b.graph.node(id).operands[1], dy = d[0];
  int64_t ta = b.graph.node(id).attributes.integer("trans_a"), tb = b.graph.node(id).attributes.integer("trans_b");
  auto product = [&](ValueId x, ValueId y, int64_t transX, int64_t transY) {
    return b.make("matmul", {x, y}, {{"trans_a", transX}, {"trans_b", transY}});
  };
  const Shape leftShape = b.graph.type(left).shape, rightShape = b.graph.type(right).shape,
              outShape = b.graph.type(dy).shape;
  ValueId dLeft = ta ? product(right, dy, tb, 1) : product(dy, right, 0, !tb);
  o[0] = b.sumTo(dLeft, leftShape);
  if (!ta && rightShape.size() == 2 && leftShape.size() > 2) {
    int64_t rows = elementsOf(leftShape) / std::max<int64_t>(leftShape.back(), 1);
    left = b.reshape(left, {rows, leftShape.back()});
    dy = b.reshape(dy, {rows, outShape.back()});
  }
  ValueId dRight = tb ? product(dy, left, 1, ta) : product(left, dy, !ta, 0);
  o[1] = b.sumTo(dRight, rightShape);
}

double matMulFlops(const OpCall &call) {
  Sides s = llvm::cantFail(sidesOf(call));
  return 2.0 * double(elementsOf(s.batch)) * double(s.m) * double(s.k) * double(s.n);
}

std::string axesOf(const OpCall &call) {
  return std::string(call.attributes.integer("trans_a") ? "... k m" : "... m k") +
         (call.attributes.integer("trans_b") ? ", ... n k" : ", ... k n");
}

IndexTerms matMulAxes(AxisArena &arena, const OpCall &call) {
  return instantiateText(axesOf(call) + " -> ... m n", arena, call.operands, call.results);
}

IndexTerms biasAxes(AxisArena &arena, const OpCall &call) {
  std::string text = axesOf(call) + ", ";
  for (size_t d = 1; d < call.operands[2].shape.size(); ++d)
    text += "one "; // a dimension of size 1 has no index
  text += "n -> ... m n";
  return instantiateText(call.results.size() == 1 ? text : text + ", ... m n", arena, call.operands, call.results);
}

IndexTerms geluGradAxes(AxisArena &arena, const OpCall &call) {
  return instantiateText(axesOf(call) + ", ... m n -> ... m n", arena, call.operands, call.results);
}

// A product with operators on each of its elements before it is written. passes/partition/fuse_epilogues.h makes them
// after differentiation, so they have no gradient, and after reductions, so none is Partial because of a bias.
constexpr FusedOp kBiasOps[] = {
    {.op = "matmul", .operands = {0, 1}, .passed = {"trans_a", "trans_b"}},
    {.op = "add", .operands = {resultOf(0), 2}, .commutes = true},
};
constexpr FusedOp kBiasGeluOps[] = {
    kBiasOps[0],
    kBiasOps[1],
    {.op = "gelu",
     .operands = {resultOf(1)},
     .own =
         [](const OpCall &) {
           return Attributes{{"tanh", int64_t(1)}};
         }},
};

constexpr FusedOp kGeluGradOps[] = {
    kBiasOps[0],
    {.op = "gelu_grad", .operands = {2, resultOf(0)}, .own = kBiasGeluOps[2].own},
};

llvm::Error checkBias(const OpCall &call, const Type &product) {
  const Type &bias = call.operands[2];
  if (!bias.shape.empty() && bias.elements() == bias.shape.back() && bias.shape.back() == product.shape.back())
    return llvm::Error::success();
  return typeProblem("its bias is " + llvm::Twine(bias.text()) + ", no vector along its columns");
}

llvm::Expected<Types> inferBias(const OpCall &call) {
  llvm::Expected<Types> types = inferFused(kBiasOps, 1, call);
  if (!types) return types;
  if (llvm::Error error = checkBias(call, (*types)[0])) return error;
  return types;
}
llvm::Expected<Types> inferBiasGelu(const OpCall &call) {
  llvm::Expected<Types> types = inferFused(kBiasGeluOps, 2, call);
  if (!types) return types;
  if (llvm::Error error = checkBias(call, (*types)[0])) return error;
  return types;
}
llvm::Expected<Types> inferGeluGrad(const OpCall &call) { return inferFused(kGeluGradOps, 1, call); }

void evaluateBias(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  evaluateFused(kBiasOps, call, in, out);
}
void evaluateBiasGelu(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  evaluateFused(kBiasGeluOps, call, in, out);
}
void evaluateGeluGrad(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  evaluateFused(kGeluGradOps, call, in, out);
}

double epilogueFlops(const OpCall &call) {
  return matMulFlops(call) + double(call.results.size()) * double(call.results[0].elements());
}

const OpDef kOps[] = {
    {.name = "matmul",
     .axisRule = matMulAxes,
     .linearIn = kEveryOperand,
     .infer = inferMatMul,
     .evaluate = evaluateMatMul,
     .gradient = differentiateMatMul,
     .flops = matMulFlops,
     .kernel = KernelId::MatMul,
     .precision = Precision::Low},
    {.name = "matmul_bias",
     .axisRule = biasAxes,
     .infer = inferBias,
     .evaluate = evaluateBias,
     .flops = epilogueFlops,
     .kernel = KernelId::MatMulBias,
     .precision = Precision::Low,
     .fused = kBiasOps},
    {.name = "matmul_bias_gelu",
     .axisRule = biasAxes,
     .infer = inferBiasGelu,
     .evaluate = evaluateBiasGelu,
     .flops = epilogueFlops,
     .kernel = KernelId::MatMulBiasGelu,
     .precision = Precision::Low,
     .fused = kBiasGeluOps},
    {.name = "matmul_gelu_grad",
     .axisRule = geluGradAxes,
     .infer = inferGeluGrad,
     .evaluate = evaluateGeluGrad,
     .flops = epilogueFlops,
     .kernel = KernelId::MatMulGeluGrad,
     .precision = Precision::Low,
     .fused = kGeluGradOps},
};

} // namespace

llvm::ArrayRef<OpDef> matmulOps() { return kOps; }

} // namespace autotp
