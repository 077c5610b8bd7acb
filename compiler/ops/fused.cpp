#include "compiler/ops/fused.h"

#include "compiler/ops/families.h"
#include "runtime/base/indexed.h"

namespace autotp {

Attributes attributesOf(const FusedStep &step, const OpCall &whole) {
  Attributes own = step.own ? step.own(whole) : Attributes();
  for (const char *name : step.passed)
    if (name) own.set(name, whole.attributes.integer(name));
  return own;
}

llvm::Expected<std::vector<TypedStep>> typedSteps(llvm::ArrayRef<FusedStep> steps, llvm::ArrayRef<Type> operands,
                                                  const Attributes &attributes, llvm::ArrayRef<Type> results) {
  std::vector<TypedStep> typed;
  for (auto [i, step] : indexed(steps)) {
    TypedStep next{findOp(step.op), {}, {}, {}, attributesOf(step, OpCall{operands, attributes, results})};
    const bool isStated = i + results.size() >= steps.size();
    for (int8_t operand : step.operands) {
      if (operand == FusedStep::kNoOperand) continue;
      if (operand < FusedStep::kStep) {
        next.operands.push_back(unsigned(operand));
        next.operandTypes.push_back(operands[size_t(operand)]);
        continue;
      }
      const size_t earlier = size_t(operand - FusedStep::kStep);
      Type type = typed[earlier].result;
      // A stated result shape says in which shape earlier results are read.
      if (isStated) {
        const Shape &shape = results[i + results.size() - steps.size()].shape;
        if (elementsOf(shape) != type.elements())
          return typeProblem("a result has not the elements of " + llvm::Twine(type.text()));
        type.shape = shape;
      }
      next.operands.push_back(unsigned(operands.size() + earlier));
      next.operandTypes.push_back(std::move(type));
    }
    llvm::Expected<Types> made = next.row->infer(OpCall{next.operandTypes, next.attributes, {}});
    if (!made) return made.takeError();
    next.result = (*made)[0];
    typed.push_back(std::move(next));
  }
  return typed;
}

llvm::Expected<Types> inferFused(llvm::ArrayRef<FusedStep> steps, size_t results, const OpCall &call) {
  llvm::Expected<std::vector<TypedStep>> typed = typedSteps(steps, call.operands, call.attributes, call.results);
  if (!typed) return typed.takeError();
  Types types;
  for (const TypedStep &step : llvm::ArrayRef<TypedStep>(*typed).take_back(results))
    types.push_back(step.result);
  return types;
}

void evaluateFused(llvm::ArrayRef<FusedStep> steps, const OpCall &call, llvm::ArrayRef<const Array *> in,
                   llvm::MutableArrayRef<Array> out) {
  const std::vector<TypedStep> typed = llvm::cantFail(typedSteps(steps, call.operands, call.attributes, call.results));
  std::vector<Array> made;
  for (const TypedStep &step : typed)
    made.emplace_back(step.result);
  for (auto [i, step] : indexed(typed)) {
    llvm::SmallVector<const Array *, 2> operands;
    for (unsigned operand : step.operands)
      operands.push_back(operand < in.size() ? in[operand] : &made[operand - in.size()]);
    step.row->evaluate(OpCall{step.operandTypes, step.attributes, step.result}, operands,
                       llvm::MutableArrayRef<Array>(made[i]));
  }
  for (auto [j, result] : indexed(out))
    result = std::move(made[made.size() - out.size() + j]);
}

} // namespace autotp
