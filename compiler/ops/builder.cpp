#include "compiler/ops/families.h"

#include "llvm/ADT/Twine.h"

#include <cassert>

namespace autotp {

llvm::Expected<llvm::SmallVector<ValueId, 2>> Builder::tryMake(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                                               Attributes attributes, llvm::ArrayRef<Type> stated) {
  const OpDef *row = findOp(op);
  assert(row && "no such operator");
  llvm::SmallVector<Type, 4> types;
  for (ValueId operand : operands)
    types.push_back(graph.type(operand));
  llvm::Expected<Types> results = row->infer(OpCall{types, attributes, stated});
  if (!results) return results.takeError();
  NodeId node = graph.addNode(row->name, operands, *results, std::move(attributes), origin, before);
  graph.node(node).backward = backward;
  return llvm::SmallVector<ValueId, 2>(graph.node(node).results);
}

llvm::SmallVector<ValueId, 2> Builder::makeMany(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                                Attributes attributes) {
  auto results = tryMake(op, operands, std::move(attributes), {});
  assert(results && "a pass built an ill-typed node");
  return std::move(*results);
}

ValueId Builder::make(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Attributes attributes) {
  return makeMany(op, operands, std::move(attributes))[0];
}

ValueId Builder::makeTyped(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, const Type &result,
                           Attributes attributes) {
  auto results = tryMake(op, operands, std::move(attributes), result);
  assert(results && "a pass built an ill-typed node");
  return (*results)[0];
}

ValueId Builder::reshape(ValueId x, Shape shape) {
  if (graph.type(x).shape == shape) return x;
  return makeTyped("reshape", {x}, Type{graph.type(x).dtype, std::move(shape)});
}

ValueId Builder::transpose(ValueId x, llvm::ArrayRef<int64_t> perm) {
  return make("transpose", {x}, {{"perm", llvm::SmallVector<int64_t, 6>(perm.begin(), perm.end())}});
}

ValueId Builder::slice(ValueId x, int64_t axis, int64_t start, int64_t length) {
  return make("slice", {x}, {{"axis", axis}, {"length", length}, {"start", start}, {"step", int64_t(1)}});
}

ValueId Builder::sumTo(ValueId x, llvm::ArrayRef<int64_t> shape) {
  const Shape from = graph.type(x).shape,
              to(shape.begin(), shape.end()); // a copy, since `shape` may refer to the graph, which is about to grow
  if (from == to) return x;
  llvm::SmallVector<int64_t, 6> axes;
  size_t extra = from.size() - shape.size();
  for (size_t d = 0; d < from.size(); ++d)
    if (d < extra || (shape[d - extra] == 1 && from[d] != 1)) axes.push_back(int64_t(d));
  ValueId sum = make("reduce_sum", {x}, {{"axes", axes}, {"keepdims", int64_t(0)}});
  return reshape(sum, to);
}

void zeroGradients(Builder &b, const Node &node, llvm::MutableArrayRef<ValueId> doperands) {
  for (size_t k = 0; k < doperands.size(); ++k)
    if (const Type type = b.graph.type(node.operands[k]); isFloat(type.dtype)) doperands[k] = b.full(type, 0);
}

} // namespace autotp
