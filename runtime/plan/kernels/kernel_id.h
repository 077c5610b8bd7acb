/// \file The kernels that a plan can name, by number.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace autotp {

enum class KernelId : uint16_t {
  None = 0, // a view, or something that only the compiler evaluates
#define AUTOTP_KERNEL(id, name, ...) name = id,
#include "runtime/plan/kernels/kernels.def"
#undef AUTOTP_KERNEL
};

/// "MatMul"; "?" for a number that is no kernel.
llvm::StringRef nameOf(KernelId kernel);

} // namespace autotp
