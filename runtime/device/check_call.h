/// \file What kernels.def says of a call, checked before a device makes it ready.
#pragma once

#include "runtime/device/checks.h"
#include "runtime/plan/attention_workspace.h"

#include <array>

namespace autotp {

/// Errors: operands or results of a wrong number; dtypes, shapes or attributes that do not go together. A device calls
/// this first, and says by itself which dtypes it has and how much workspace it needs. Not checked here: that operands
/// broadcast (broadcastRows).
llvm::Error checkCall(const KernelCall &call);

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
