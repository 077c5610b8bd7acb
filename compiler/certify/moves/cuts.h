/// \file Parts of a content: which elements of a value are left once a local tensor is cut, or set to zero in places. No
/// arithmetic, so no operator of the graph is needed for it. All functions return null if no part of one value is left.
#pragma once

#include "compiler/certify/contents/symbols.h"

namespace autotp {

/// Elements [begin, end) of a content, in memory order. Null if they are no box.
const Content *range(Symbols &symbols, const Content &content, int64_t begin, int64_t end);

/// As many of these elements, from the first on, as are a box.
const Content *firstBox(Symbols &symbols, const Content &content, Interval run);

/// As much of a piece, from its begin on, as is a box of its value.
const Content *boxAt(Symbols &symbols, const Piece &piece);

/// Every `step`-th of these indices of dimension `axis`, of a tensor of this local shape.
struct LocalSlice {
  size_t axis;
  Interval taken;
  int64_t step;
};
const Content *slice(Symbols &symbols, const Content &content, llvm::ArrayRef<int64_t> shape, const LocalSlice &slice);

/// A tensor of bools that has the local shape, or 1 in some dimensions.
struct Mask {
  llvm::ArrayRef<char> data;
  llvm::ArrayRef<int64_t> shape;
};
/// where(mask, content, 0)
const Content *masked(Symbols &symbols, const Content &content, llvm::ArrayRef<int64_t> shape, const Mask &mask);

} // namespace autotp
