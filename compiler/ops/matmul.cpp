// compiler/ops/matmul.cpp: products and their gradients.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"

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

llvm::Expected<Types> inferMatMul(const OpCall &call) {
  llvm::Expected<Sides> s = sidesOf(call);
  if (!s) return s.takeError();
  if (call.operands[0].dtype != call.operands[1].dtype)
    return typeProblem("its operands are " + llvm::Twine(call.operands[0].text()) + " and " + call.operands[1].text());
  Shape shape = s->batch;
  shape.append({s->m, s->n});
  return Types{Type{call.operands[0].dtype, shape}};
}

void evaluateMatMul(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Sides s = llvm::cantFail(sidesOf(call));
  // Each matrix of a batch is one element of an outer walk.
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

/// With C = op(A) op(B): dA = dC op(B)^T and dB = op(A)^T dC, each in the operand's own orientation. A weight of two
/// dimensions under a batch sees the batch as more rows, so that its gradient is one product and no sum over a batch.
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

IndexTerms matMulAxes(AxisArena &arena, const OpCall &call) {
  static constexpr const char *kTexts[] = {"... m k, ... k n -> ... m n", "... m k, ... n k -> ... m n",
                                           "... k m, ... k n -> ... m n", "... k m, ... n k -> ... m n"};
  int64_t which = 2 * call.attributes.integer("trans_a") + call.attributes.integer("trans_b");
  return instantiateText(kTexts[which], arena, call.operands, call.results);
}

const OpDef kOps[] = {
    {.name = "matmul",
     .axisRule = matMulAxes,
     .linearity = Linearity::Each,
     .infer = inferMatMul,
     .evaluate = evaluateMatMul,
     .gradient = differentiateMatMul,
     .flops = matMulFlops,
     .kernel = KernelId::MatMul,
     .precision = Precision::Low},
};

} // namespace

llvm::ArrayRef<OpDef> matmulOps() { return kOps; }

} // namespace autotp
