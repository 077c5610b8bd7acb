/// \file What norms and their gradients ask of a call on this device.
#pragma once

#include "runtime/device/cuda/kernel_table.h"

namespace autotp::cuda {

/// Errors: dtypes that these kernels lack, or more rows than they can take.
llvm::Error checkNormOnCuda(const Call &call);

} // namespace autotp::cuda
