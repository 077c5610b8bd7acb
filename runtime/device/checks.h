/// \file What prepare() asks of a call before it trusts its shapes.
#pragma once

#include "runtime/base/error.h"
#include "runtime/device/device.h"

#include <initializer_list>

namespace autotp {

using Shape = std::vector<int64_t>;

/// What every device is asked to make ready; each device's own Call adds what its kernels need.
struct KernelCall {
  KernelId kernel;
  KernelArgs args;
  llvm::StringRef device; ///< its name, for messages
};

/// A mistake in a call: "kernel MatMul: <what>".
llvm::Error mistake(const KernelCall &call, const llvm::Twine &what);
llvm::Error expectCounts(const KernelCall &call, size_t leastOperands, size_t mostOperands, size_t results);
llvm::Error expectDType(const KernelCall &call, const TensorArg &tensor, DType dtype, llvm::StringRef name);
llvm::Error expectShape(const KernelCall &call, const TensorArg &tensor, const Shape &shape, llvm::StringRef name);
llvm::Error expectF32(const KernelCall &call, std::initializer_list<const TensorArg *> tensors);
llvm::Error expectElements(const KernelCall &call, const TensorArg &tensor, int64_t elements, llvm::StringRef name);
llvm::Error expectRank(const KernelCall &call, const TensorArg &tensor, size_t rank, llvm::StringRef name);
llvm::Error expectWorkspace(const KernelCall &call, uint64_t bytes);
constexpr float kLargestLossScale = 16777216; ///< 2^24
/// The error for a dtype that this kernel lacks on this device.
llvm::Error unsupported(const KernelCall &call, DType dtype);

/// The first error of a list of checks, each evaluated only if those before it held.
template <typename... Checks> llvm::Error firstError(Checks &&...checks) {
  llvm::Error error = llvm::Error::success();
  (void)!error;
  auto step = [&](auto &check) {
    if (error) return;
    error = check();
    (void)!error;
  };
  (step(checks), ...);
  return error;
}

} // namespace autotp
