/// \file Windows that slide over the spatial dimensions of [n, c, ..], which are those after the first two.
#pragma once

#include "compiler/onnx/formula.h"

namespace autotp {

struct Window {
  size_t dims; ///< number of spatial dimensions
  std::vector<int64_t> kernel, strides, dilations, before, after;
  Shape result; ///< sizes of the result in the spatial dimensions
  /// The end padding that was asked for; `after` is larger if the last window reaches beyond it.
  std::vector<int64_t> padded;

  int64_t reach(size_t d) const { return (kernel[d] - 1) * dilations[d] + 1; }
  int64_t places() const { return elementsOf(kernel); }
};

/// The node's strides, dilations and pads, for a kernel of this size over operand 0, without `result`.
llvm::Expected<Window> readWindow(NodeImport &node, llvm::ArrayRef<int64_t> kernel);
/// The same with `result` and automatic padding. If `reachesBeyond`, the last window may begin inside the operand and
/// end behind its padding.
llvm::Expected<Window> windowOf(NodeImport &node, llvm::ArrayRef<int64_t> kernel, bool reachesBeyond = false);
/// The elements under the k-th place of the window in spatial dimension d, for all windows; `outside` for padding.
ValueId placeOf(Formula &f, NodeImport &node, ValueId x, const Window &window, size_t d, int64_t k, double outside);
/// Puts `step` - 1 zeros between neighbours along a dimension.
ValueId spaced(Formula &f, NodeImport &node, ValueId x, int64_t axis, int64_t step);
/// Reshapes a vector of channels so that it broadcasts with [n, c, ..] of `rank` dimensions.
ValueId overChannels(Formula &f, ValueId vector, size_t rank);
/// Computes y[.., i, ..] = sum over j of matrix[i, j] x[.., j, ..] along one dimension.
ValueId combinedAlong(Formula &f, NodeImport &node, ValueId x, size_t axis, const Array &matrix);

} // namespace autotp
