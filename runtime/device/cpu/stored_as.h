/// \file Kernels that compute in f32 whatever their rows are stored in.
#pragma once

#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/storage.h"

namespace autotp::cpu {

/// start(an element of the type that operand 0 is stored in): f32, bf16 or f16.
template <typename Start> Prepared asStored(const Call &call, Start start) {
  switch (const DType dtype = call.args.operands[0].dtype) {
  case DType::F32:
    return start(float());
  case DType::BF16:
    return start(Bf16());
  case DType::F16:
    return start(Half());
  default:
    return unsupported(call, dtype);
  }
}

} // namespace autotp::cpu
