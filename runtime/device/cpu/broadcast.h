/// \file Broadcast rows shared among threads.
#pragma once

#include "runtime/device/broadcast.h"
#include "runtime/device/cpu/parallel.h"

namespace autotp::cpu {

/// body(offsets of the operands, offset of the result, length) over rows, or over parts of the only row.
template <typename Body> void forEachRow(const BroadcastRows &rows, int threads, Body body) {
  if (rows.rows == 1) {
    parallelFor(threads, rows.inner, 1, [&](int64_t begin, int64_t end, int) {
      std::array<int64_t, kMaxOperands> at{};
      for (int o = 0; o < kMaxOperands; ++o)
        at[o] = begin * rows.innerStrides[o];
      body(at, begin, end - begin);
    });
    return;
  }
  if (rows.inner == 0) return;
  parallelFor(threads, rows.rows, rows.inner, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row)
      body(rows.offsets(row), row * rows.inner, rows.inner);
  });
}

} // namespace autotp::cpu
