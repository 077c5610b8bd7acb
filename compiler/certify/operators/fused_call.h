/// \file A fused call is proven as the calls of the operators that it stands for (OpDef::steps), one after the other: what
/// each computes is what the next one reads. So a bias that is added to a sum that is still Partial is refused as an add
/// of its own would be.
#pragma once

#include "compiler/certify/operators/operator_rule.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace autotp {

struct OpDef;

/// Finds what a call's results hold, from the call and what its operands hold.
using Compute = llvm::function_ref<llvm::Expected<Results>(const plan::KernelCall &, Reads)>;

/// Finds what the results of a call of a fused operator hold. `compute` proves one call.
llvm::Expected<Results> proveFused(const OpDef &row, const plan::KernelCall &call, Reads reads, Compute compute);

} // namespace autotp
