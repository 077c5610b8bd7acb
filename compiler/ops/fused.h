/// \file Operators that one kernel computes at once: types and values are those of the operators that they stand for.
#pragma once

#include "compiler/ops/op_def.h"

namespace autotp {

/// The attributes of one step of an operator.
Attributes attributesOf(const FusedStep &step, const OpCall &whole);

/// For each step its row and the types of what it reads and computes. `operands`: of the fused operator.
struct TypedStep {
  const OpDef *row;
  llvm::SmallVector<unsigned, 2> operands; ///< operands of the whole, then results of the steps
  Types operandTypes;
  Type result;
  Attributes attributes;
};
/// `results`: of the fused operator, where they are stated; those of the last steps.
llvm::Expected<std::vector<TypedStep>> typedSteps(llvm::ArrayRef<FusedStep> steps, llvm::ArrayRef<Type> operands,
                                                  const Attributes &attributes, llvm::ArrayRef<Type> results);

/// For rows: types of `results` results.
llvm::Expected<Types> inferFused(llvm::ArrayRef<FusedStep> steps, size_t results, const OpCall &call);
void evaluateFused(llvm::ArrayRef<FusedStep> steps, const OpCall &call, llvm::ArrayRef<const Array *> in,
                   llvm::MutableArrayRef<Array> out);

} // namespace autotp
