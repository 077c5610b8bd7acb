/// \file Windows that slide over spatial dimensions: those of [n, c, ..] after the first two.
#pragma once

#include "compiler/onnx/formula.h"

namespace autotp {

struct Window {
  size_t dims; ///< spatial ones
  std::vector<int64_t> kernel, strides, dilations, before, after;
  Shape result;                ///< spatial sizes
  std::vector<int64_t> padded; ///< what `after` was asked to be: a last window may reach beyond it

  int64_t reach(size_t d) const { return (kernel[d] - 1) * dilations[d] + 1; }
  int64_t places() const { return elementsOf(kernel); }
};

/// The node's strides, dilations and pads, of a window of this size over its operand 0; without its results.
llvm::Expected<Window> readWindow(NodeImport &node, llvm::ArrayRef<int64_t> kernel);
/// With its results, and automatic padding. `reachesBeyond`: the last window may begin in the operand and end behind its
/// padding.
llvm::Expected<Window> windowOf(NodeImport &node, llvm::ArrayRef<int64_t> kernel, bool reachesBeyond = false);
/// The elements under the window's k-th place of spatial dimension d; `outside` where that is padding.
ValueId placeOf(Formula &f, NodeImport &node, ValueId x, const Window &window, size_t d, int64_t k, double outside);
/// Zeros between the elements of a dimension: `step` - 1 after each but the last.
ValueId spaced(Formula &f, NodeImport &node, ValueId x, int64_t axis, int64_t step);
/// A vector over dimension 1, as it broadcasts with [n, c, ..] of `rank` dimensions.
ValueId overChannels(Formula &f, ValueId vector, size_t rank);
/// y[.., i, ..] = sum over j of matrix[i, j] x[.., j, ..] along one dimension.
ValueId combinedAlong(Formula &f, NodeImport &node, ValueId x, size_t axis, const Array &matrix);

} // namespace autotp
