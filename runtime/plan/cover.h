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
/// How many indices it holds.
inline int64_t lengthOf(const Cover &cover) {
  int64_t length = 0;
  for (const Interval &interval : cover)
    length += interval.end - interval.begin;
  return length;
}
using Covers = llvm::SmallVector<Cover, 6>; ///< one cover for each dimension

} // namespace autotp
