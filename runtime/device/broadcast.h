/// \file Numpy broadcasting, reduced at load to rows: outer dimensions and one inner dimension with strides 0 or 1.
#pragma once

#include "runtime/plan/kernels/checks.h"

#include <array>

namespace autotp {

constexpr int kMaxOperands = 3;

struct BroadcastRows {
  struct Outer {
    int64_t size;
    std::array<int64_t, kMaxOperands> strides;
  };
  int64_t rows = 1, inner = 1;
  std::array<int64_t, kMaxOperands> innerStrides{}; ///< 0 or 1: operands are dense
  std::vector<Outer> outer;                         ///< from the outermost

  std::array<int64_t, kMaxOperands> offsets(int64_t row) const {
    std::array<int64_t, kMaxOperands> at{};
    for (size_t i = outer.size(); i-- > 0;) {
      const int64_t index = row % outer[i].size;
      row /= outer[i].size;
      for (int o = 0; o < kMaxOperands; ++o)
        at[o] += index * outer[i].strides[o];
    }
    return at;
  }
};

/// Errors: operands that do not broadcast to the result's shape.
llvm::Expected<BroadcastRows> broadcastRows(const KernelCall &call);

} // namespace autotp
