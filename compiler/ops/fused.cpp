#include "compiler/ops/fused.h"

#include "compiler/ops/families.h"
#include "runtime/base/indexed.h"

namespace autotp {

Attributes attributesOf(const FusedOp &op, const OpCall &whole) {
  Attributes own = op.own ? op.own(whole) : Attributes();
  for (const char *name : op.passed)
    if (name) own.set(name, whole.attributes.integer(name));
  return own;
}

llvm::Expected<std::vector<TypedOp>> typedOps(llvm::ArrayRef<FusedOp> ops, llvm::ArrayRef<Type> operands,
                                              const Attributes &attributes, llvm::ArrayRef<Type> results) {
  std::vector<TypedOp> typed;
  for (auto [i, op] : indexed(ops)) {
    TypedOp next{findOp(op.op), {}, {}, {}, attributesOf(op, OpCall{operands, attributes, results})};
    const bool isStated = i + results.size() >= ops.size();
    for (uint8_t operand : op.operands) {
      if (operand < kFirstResult) {
        next.operands.push_back(operand);
        next.operandTypes.push_back(operands[operand]);
        continue;
      }
      const size_t earlier = size_t(operand - kFirstResult);
      Type type = typed[earlier].results[0];
      // A stated result shape says in which shape earlier results are read.
      if (isStated) {
        const Shape &shape = results[i + results.size() - ops.size()].shape;
        if (elementsOf(shape) != type.elements())
          return typeProblem("a result has not the elements of " + llvm::Twine(type.text()));
        type.shape = shape;
      }
      next.operands.push_back(unsigned(operands.size() + earlier));
      next.operandTypes.push_back(std::move(type));
    }
    llvm::Expected<Types> made = next.row->infer(OpCall{next.operandTypes, next.attributes, {}});
    if (!made) return made.takeError();
    next.results = std::move(*made);
    typed.push_back(std::move(next));
  }
  return typed;
}

llvm::Expected<Types> inferFused(llvm::ArrayRef<FusedOp> ops, size_t results, const OpCall &call) {
  llvm::Expected<std::vector<TypedOp>> typed = typedOps(ops, call.operands, call.attributes, call.results);
  if (!typed) return typed.takeError();
  Types types;
  for (const TypedOp &op : llvm::ArrayRef<TypedOp>(*typed).take_back(results))
    types.push_back(op.results[0]);
  return types;
}

void evaluateFused(llvm::ArrayRef<FusedOp> ops, const OpCall &call, llvm::ArrayRef<const Array *> in,
                   llvm::MutableArrayRef<Array> out) {
  const std::vector<TypedOp> typed = llvm::cantFail(typedOps(ops, call.operands, call.attributes, call.results));
  std::vector<Array> made;
  made.reserve(typed.size());
  for (const TypedOp &op : typed)
    made.emplace_back(op.results[0]);
  for (auto [i, op] : indexed(typed)) {
    llvm::SmallVector<const Array *, 2> operands;
    for (unsigned operand : op.operands)
      operands.push_back(operand < in.size() ? in[operand] : &made[operand - in.size()]);
    op.row->evaluate(OpCall{op.operandTypes, op.attributes, op.results}, operands,
                     llvm::MutableArrayRef<Array>(made[i]));
  }
  for (auto [j, result] : indexed(out))
    result = std::move(made[made.size() - out.size() + j]);
}

} // namespace autotp
