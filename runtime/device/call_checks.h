/// \file The checks of kernel families, for check_call.cpp: what kernels.def says of each.
#pragma once

#include "runtime/device/check_call.h"

namespace autotp {

using CallCheck = llvm::Error (*)(const KernelCall &call);

/// All operands and results have the dtype of the first operand; its shape; both.
llvm::Error sameDTypes(const KernelCall &call);
llvm::Error sameShapes(const KernelCall &call);
llvm::Error checkSame(const KernelCall &call);

/// Dropout, softmax, norms, attention, rotary, cross-entropy; null for other kernels.
CallCheck rowCheckOf(KernelId kernel);
/// What runs on flat buckets; null for other kernels.
CallCheck optimizerCheckOf(KernelId kernel);

} // namespace autotp
