/// \file Refuses a program that would do harm: a plan file is hostile until checked.
#pragma once

#include "runtime/plan/plan.pb.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Elements of a tensor; -1 where the shape is negative or overflows.
int64_t elementsOf(const plan::TensorRef &tensor);

/// Every tensor inside the arena on every dp rank, every dtype, kernel, group and attribute known, sizes that agree.
llvm::Error checkProgram(const plan::Program &program, int64_t tp, int64_t dp);

/// An error if a kernel has its data in a dtype that no device computes it in; names the step and the node that it is
/// from.
llvm::Error checkDTypes(const plan::Program &program);

/// An error if a kernel call is not as its row in kernels.def says; names the step and the node that it is from.
llvm::Error checkCalls(const plan::Program &program);

} // namespace autotp
