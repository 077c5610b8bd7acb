/// \file The kernels a plan can name; kernels.def says what each one computes.
#pragma once

#include "runtime/plan/dtype.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace autotp {

enum class KernelId : uint16_t {
  None = 0, // a view, or something that only the compiler evaluates
#define AUTOTP_KERNEL(id, name, operands, results) name = id,
#include "runtime/plan/kernels.def"
#undef AUTOTP_KERNEL
};

/// "MatMul"; "?" for a number that is no kernel.
llvm::StringRef nameOf(KernelId kernel);
/// How many operands it has; -1: several numbers are right.
int operandsOf(KernelId kernel);
int resultsOf(KernelId kernel);
/// The dtypes of its data that every device computes it in. The data is the first float among operands and results, or
/// where there is none the first operand.
llvm::ArrayRef<DType> dtypesOf(KernelId kernel);

} // namespace autotp
