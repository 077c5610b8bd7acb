/// \file Rows gathered from strided places into a dense result: slices, and transposes that keep the innermost
/// dimension.
#pragma once

#include "runtime/device/cuda/elementwise.cuh"

namespace autotp::cuda {

template <typename Word> struct SameWord : Elementwise<1, Word> {
  __device__ Word operator()(Word x) const { return x; }
};

struct MovedDimension {
  int64_t size, from; ///< from: its stride in the operand, in elements; may be negative
};

/// The call's result, whose rows of `inner` elements lie at every combination of `outer` (from the outermost) off
/// `from`.
template <typename Word>
Prepared moveRows(const Call &call, const Word *from, const std::vector<MovedDimension> &outer, int64_t inner) {
  BroadcastRows rows;
  rows.inner = inner;
  rows.innerStrides[0] = 1;
  for (const MovedDimension &dimension : outer)
    if (dimension.size != 1) rows.outer.push_back({dimension.size, {dimension.from}});
  llvm::Expected<RowShape> shape = rowShapeOf(call, rows, call.args.results[0].elements());
  if (!shape) return shape.takeError();
  return mapRows(call, MapOperands<SameWord<Word>>{from, nullptr, nullptr, call.args.results[0].as<Word>()}, *shape,
                 SameWord<Word>());
}

} // namespace autotp::cuda
