/// \file Fused operators: one kernel computes several operators. Types and values are those of the operators that they
/// stand for.
#pragma once

#include "compiler/ops/op_def.h"

namespace autotp {

/// The attributes of one of the operators that `whole` stands for.
Attributes attributesOf(const FusedOp &op, const OpCall &whole);

/// One of the operators that a fused operator stands for: its row, and the types of its operands and results.
struct TypedOp {
  const OpDef *row;
  /// First the operands of the fused operator are counted, then the results of the steps.
  llvm::SmallVector<unsigned, 2> operands;
  Types operandTypes, results;
  Attributes attributes;
};
/// `operands` and `results` are those of the fused operator; the results, which may be left out, are those of the last
/// steps.
llvm::Expected<std::vector<TypedOp>> typedOps(llvm::ArrayRef<FusedOp> ops, llvm::ArrayRef<Type> operands,
                                              const Attributes &attributes, llvm::ArrayRef<Type> results);

/// The types of the results of a fused operator, which are the results of its last `results` steps.
llvm::Expected<Types> inferFused(llvm::ArrayRef<FusedOp> ops, size_t results, const OpCall &call);
void evaluateFused(llvm::ArrayRef<FusedOp> ops, const OpCall &call, llvm::ArrayRef<const Array *> in,
                   llvm::MutableArrayRef<Array> out);

} // namespace autotp
