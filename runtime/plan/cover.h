/// \file What is held of a dimension, and of a value: index intervals.
#pragma once

#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace autotp {

struct Interval {
  int64_t begin, end; ///< half open: end is not included
  bool operator==(const Interval &) const = default;
};
/// sorted, disjoint and merged intervals of a dimension; empty if nothing is held
using Cover = llvm::SmallVector<Interval, 2>;
using Covers = llvm::SmallVector<Cover, 6>; ///< one cover for each dimension

} // namespace autotp
