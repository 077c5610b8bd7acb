/// \file What a plan's kernel call gives to a kernel.
#pragma once

#include "runtime/plan/kernels/kernel_call.h"
#include "runtime/plan/plan.pb.h"

namespace autotp {

/// Tensors without memory, attributes, and no workspace.
KernelArgs kernelArgs(const plan::KernelCall &call);

} // namespace autotp
