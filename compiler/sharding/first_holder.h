/// \file What several coordinates hold counts once, on the first that holds it.
#pragma once

#include "compiler/axes/cover.h"
#include "compiler/ir/tensor.h"

namespace autotp {

using Covers = llvm::SmallVector<Cover, 6>; ///< one a dimension

/// Which points of a box one coordinate is the first to hold.
struct FirstHeld {
  enum class Points : uint8_t { All, None, Some } points = Points::All;
  llvm::SmallVector<unsigned, 2> deciding; ///< the dimensions of the box that Some depends on
  Array mask; ///< bool, of the local sizes of those dimensions: whether a point counts here
};

/// `own`: this coordinate's covers; `earlier`: those of the coordinates before it.
FirstHeld firstHeld(const Covers &own, llvm::ArrayRef<Covers> earlier);

/// The flat local elements of `own` that none of `earlier` holds, as sorted intervals.
llvm::SmallVector<Interval, 2> flatFirstHeld(const Covers &own, llvm::ArrayRef<Covers> earlier);

} // namespace autotp
