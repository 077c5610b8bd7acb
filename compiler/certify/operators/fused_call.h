/// \file A fused call is proven as the calls of the operators that it stands for (OpDef::steps), one after the other: what
/// each computes is what the next one reads. So a bias that is added to a sum that is still pending is refused as an add
/// of its own would be.
#pragma once

#include "compiler/certify/operators/node_rule.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// What a call's results hold, by the call and what its operands hold.
using Computed = llvm::function_ref<llvm::Expected<std::vector<const Content *>>(const plan::KernelCall &,
                                                                                 llvm::ArrayRef<OperandRead>)>;

/// What the results of a call of a fused operator hold. `compute` proves one call.
llvm::Expected<std::vector<const Content *>> proveFused(const OpDef &row, const plan::KernelCall &call,
                                                        llvm::ArrayRef<OperandRead> reads, Computed compute);

} // namespace autotp
