/// \file Attributes {begins, ends, dp_slice} of a call: segments of a bucket, and how far on each next dp rank's slice of it
/// begins.
#pragma once

#include "compiler/certify/state/tp_rank.h"
#include "compiler/certify/values/index_lists.h"

namespace autotp {

struct Segments {
  std::vector<Interval> sorted; ///< and without overlaps
  int64_t stride;

  /// Returns what segments have of these elements of a dp rank's slice, whose first element counts as `shift`.
  llvm::SmallVector<Interval, 2> within(const Interval &window, int64_t dpRank, int64_t shift = 0) const;
};

/// Fails if they are not sorted, or if dp ranks that have the same elements would differ.
llvm::Expected<Segments> segmentsOf(const plan::KernelCall &call, bool isSliced, int64_t dp);

int64_t elementsOf(llvm::ArrayRef<Interval> intervals);

} // namespace autotp
