/// \file What norms and their gradients ask of a call.
#pragma once

#include "runtime/device/cuda/kernel_table.h"

namespace autotp::cuda {

struct NormRows {
  int64_t rows, width;
};

/// Errors: numbers, dtypes or sizes of operands and results that do not fit.
llvm::Expected<NormRows> normRows(const Call &call, size_t operands, size_t results);

} // namespace autotp::cuda
