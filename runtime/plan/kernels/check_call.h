/// \file What the rows of kernels.def say of a call: asked by the compiler when it has emitted one, and by a device before it
/// makes one ready.
#pragma once

#include "runtime/plan/kernels/attention_workspace.h"
#include "runtime/plan/kernels/checks.h"

#include <array>
#include <optional>

namespace autotp {

/// The dtype of the call's data if no device computes the kernel in it.
std::optional<DType> unsupportedDType(const KernelCall &call);

/// Errors: a number that is no kernel; tensors of a wrong number; dtypes, shapes or attributes that do not go together, or that
/// no device has. Not checked here: that operands broadcast (broadcastRows), and the size of the workspace, which devices
/// know.
llvm::Error checkCall(const KernelCall &call);
/// The check of a kernel of which its signature says all.
llvm::Error checkSignature(const KernelCall &call);

/// What the last dimension divides: rows of `width` elements; none where the width is 0.
struct RowSizes {
  int64_t count, width;
};
RowSizes rowsOf(const TensorArg &tensor);

/// Of one product of the batch: [m, k] x [k, n].
struct ProductSizes {
  int64_t m, n, k;
};
ProductSizes productSizes(const KernelCall &call);
/// Of a whole product, batches included: a fused call's results may be in other shapes.
std::vector<int64_t> productShape(const KernelCall &call);

/// Of Attention and AttentionGrad.
AttentionSizes attentionSizes(const KernelCall &call);
/// The mask; null where there is none.
const TensorArg *attentionMask(const KernelCall &call);
/// Elements between neighbours of each dimension of the mask; 0 where it broadcasts.
std::array<int64_t, 4> maskStrides(const TensorArg &mask);

} // namespace autotp
