/// \file Makes the program of one tp rank: local shapes, local constants, and all collectives over tp, which no earlier
/// pass adds.
/// Before:  %h = matmul(%x: f32[4,8], %w1: f32[8,16{f}]);  %y = matmul(%h, %w2) partial, reduced here
/// After:   %h = matmul(%x: f32[4,8], %w1: f32[8,8]);      %y = all_reduce(matmul(%h, %w2)) {axis=tp}
/// Everything else that is rewritten follows from the terms: shapes, bounds of slices, offsets of lookups and classes.
/// If an addend of a Partial sum is not Partial itself, it stays only on the first holder of each element, and the
/// other ranks have 0 in its place.
#pragma once

#include "compiler/sharding/local_program.h"

#include "llvm/Support/Error.h"

namespace autotp {
/// The program of tp rank `tpRank`. Errors are bugs of earlier passes: a node does not fit its local shapes, or
/// elements that several tp ranks hold cannot be made to count once. All such nodes are listed.

llvm::Expected<LocalProgram> localise(const PlacedGraph &placed, int tpRank);

} // namespace autotp
