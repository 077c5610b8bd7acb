/// \file Single checks of a call, and their messages.
#pragma once

#include "runtime/base/error.h"
#include "runtime/plan/kernels/kernel_call.h"

namespace autotp {

/// "f32 [2, 3]".
std::string textOf(const TensorArg &tensor);
/// A mistake in a call: "kernel MatMul: <what>".
llvm::Error mistake(const KernelCall &call, const llvm::Twine &what);
llvm::Error expectDType(const KernelCall &call, const TensorArg &tensor, DType dtype, llvm::StringRef name);
llvm::Error expectShape(const KernelCall &call, const TensorArg &tensor, const ArgShape &shape, llvm::StringRef name);
llvm::Error expectElements(const KernelCall &call, const TensorArg &tensor, int64_t elements, llvm::StringRef name);
llvm::Error expectWorkspace(const KernelCall &call, uint64_t bytes);
constexpr float kLargestLossScale = 16777216; ///< 2^24
/// The error for a dtype that this kernel lacks on this device.
llvm::Error unsupported(const KernelCall &call, DType dtype);

} // namespace autotp
