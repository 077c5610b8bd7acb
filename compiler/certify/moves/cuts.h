/// \file Parts of a content: which elements of a value are left once a local tensor is cut, or set to zero in places. No
/// arithmetic, so no operator of the graph is needed for it. All functions return null if no part of one value is left.
#pragma once

#include "compiler/certify/contents/symbols.h"

namespace autotp {

/// Returns elements [begin, end) of a content, in memory order, if they are a box.
const Content *range(Symbols &symbols, const Content &content, int64_t begin, int64_t end);

/// Returns as many of these elements, from the first on, as are a box.
const Content *firstBox(Symbols &symbols, const Content &content, Interval run);

/// Returns as much of a piece, from its begin on, as is a box of its value.
const Content *boxAt(Symbols &symbols, const Piece &piece);

/// A slice of a local tensor: every `step`-th of these indices of dimension `axis`.
struct LocalSlice {
  size_t axis;
  Interval taken;
  int64_t step;
};
const Content *slice(Symbols &symbols, const Content &content, llvm::ArrayRef<int64_t> shape, const LocalSlice &slice);

/// A tensor of bools, whose sizes are those of the local shape, or 1.
struct Mask {
  llvm::ArrayRef<char> data;
  llvm::ArrayRef<int64_t> shape;
};
/// Returns what where(mask, content, 0) leaves: a Partial sum, whose other summands are elsewhere.
const Content *masked(Symbols &symbols, const Content &content, llvm::ArrayRef<int64_t> shape, const Mask &mask);

} // namespace autotp
