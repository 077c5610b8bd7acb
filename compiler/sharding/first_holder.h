/// \file If several tp ranks hold the same element, it counts once, on the first of them.
#pragma once

#include "compiler/axes/cover.h"
#include "compiler/ir/tensor.h"

namespace autotp {

/// Which points of a box one tp rank is the first to hold.
struct FirstHeld {
  enum class Points : uint8_t { All, None, Some } points = Points::All;
  llvm::SmallVector<unsigned, 2> deciding; ///< the dimensions of the box on which Some depends
  Array mask; ///< bool, with the local sizes of those dimensions: whether a point counts on this rank
};

/// `own` are this rank's covers, `earlier` those of the ranks before it.
FirstHeld firstHeld(const Covers &own, llvm::ArrayRef<Covers> earlier);

/// The elements of `own` that none of `earlier` holds, as sorted intervals of flat local indices.
llvm::SmallVector<Interval, 2> flatFirstHeld(const Covers &own, llvm::ArrayRef<Covers> earlier);

} // namespace autotp
