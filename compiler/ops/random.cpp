// compiler/ops/random.cpp: dropout, whose mask is a function of the place of each element in the global batch.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"
#include "runtime/base/philox.h"

namespace autotp {
namespace {

/// As imported, dropout has the operand x alone; bind-dropout adds the counter, and the positions along each dimension.
bool isBound(size_t operands) { return operands > 1; }

llvm::Expected<Types> inferDropout(const OpCall &call) {
  const Type &x = call.operands[0];
  if (!isFloat(x.dtype)) return typeProblem("it drops elements of " + llvm::Twine(x.text()));
  if (!isBound(call.operands.size())) return Types{x};
  if (call.operands.size() != 2 + x.shape.size())
    return typeProblem("it has no positions for each dimension of " + llvm::Twine(x.text()));
  if (call.operands[1] != Type{DType::I64, {3}}) return typeProblem("its counter is not i64[3]");
  for (size_t d = 0; d < x.shape.size(); ++d)
    if (call.operands[2 + d] != Type{DType::I64, {x.shape[d], 2}})
      return typeProblem("positions " + llvm::Twine(d) + " are " + call.operands[2 + d].text());
  return Types{x};
}

IndexTerms dropoutAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = emptyTerms(call.operands.size());
  terms.ins[0] = terms.outs[0] = freshAxes(arena, call.operands[0].shape);
  for (size_t k = 1; k < call.operands.size(); ++k) {
    const AxisId whole = arena.leaf(call.operands[k].shape.back());
    if (k > 1) terms.ins[k].push_back(terms.ins[0][k - 2]);
    terms.ins[k].push_back(whole);
    terms.whole.push_back({whole, "dropout reads all of it"});
  }
  return terms;
}

void evaluateDropout(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const Attributes &a = call.attributes;
  const Shape &shape = in[0]->type.shape;
  const double ratio = a.real("ratio");
  const bool bound = isBound(in.size());
  DropoutKey key{0, uint32_t(a.integer("ordinal")), 0};
  if (bound) key.seed = uint32_t(int64_t(in[1]->data[0])), key.step = uint32_t(int64_t(in[1]->data[1]));
  for (size_t i = 0; i < in[0]->data.size(); ++i) {
    int64_t row = bound && a.integer("per_sample") ? int64_t(in[1]->data[2]) : 0, index = bound ? 0 : int64_t(i),
            rest = int64_t(i);
    for (size_t d = shape.size(); bound && d-- > 0; rest /= shape[d]) {
      row += int64_t(in[2 + d]->data[size_t(rest % shape[d] * 2)]);
      index += int64_t(in[2 + d]->data[size_t(rest % shape[d] * 2 + 1)]);
    }
    const bool isKept = key.bits(uint32_t(row), uint64_t(index)) >= dropoutThreshold(ratio);
    out[0].data[i] = isKept ? in[0]->data[i] / (1 - ratio) : 0;
  }
}

void dropoutGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  llvm::SmallVector<ValueId, 8> operands(node.operands.begin(), node.operands.end());
  operands[0] = d[0];
  o[0] = b.make("dropout", operands, node.attributes);
}

const OpDef kOps[] = {
    {.name = "dropout",
     .axisRule = dropoutAxes,
     .linearIn = operand(0),
     .infer = inferDropout,
     .evaluate = evaluateDropout,
     .gradient = dropoutGradient,
     .kernel = KernelId::Dropout,
     .operands = {1, INT8_MAX},
     .mayReuse = true},
};

} // namespace

llvm::ArrayRef<OpDef> randomOps() { return kOps; }

} // namespace autotp
