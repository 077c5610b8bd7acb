/// \file What prepare() asks of a call before it trusts its shapes.
#pragma once

#include "runtime/base/error.h"
#include "runtime/device/cpu/kernel_table.h"

#include <initializer_list>

namespace autotp::cpu {

using Shape = std::vector<int64_t>;

/// A mistake in a call: "kernel MatMul: <what>".
llvm::Error mistake(const Call &call, const llvm::Twine &what);
llvm::Error expectCounts(const Call &call, size_t leastOperands, size_t mostOperands, size_t results);
llvm::Error expectDType(const Call &call, const TensorArg &tensor, DType dtype, llvm::StringRef name);
llvm::Error expectShape(const Call &call, const TensorArg &tensor, const Shape &shape, llvm::StringRef name);
llvm::Error expectF32(const Call &call, std::initializer_list<const TensorArg *> tensors);
llvm::Error expectElements(const Call &call, const TensorArg &tensor, int64_t elements, llvm::StringRef name);
llvm::Error expectRank(const Call &call, const TensorArg &tensor, size_t rank, llvm::StringRef name);
llvm::Error expectWorkspace(const Call &call, uint64_t bytes);
/// The error for a dtype that this kernel lacks.
llvm::Error unsupported(const Call &call, DType dtype);

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

} // namespace autotp::cpu
