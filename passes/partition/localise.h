/// \file The program of one tp coordinate: local shapes, local constants, and every collective. Collectives appear here
/// and only here.
/// Before:  %h = matmul(%x: f32[4,8], %w1: f32[8,16{f}]);  %y = matmul(%h, %w2) partial, reduced here
/// After:   %h = matmul(%x: f32[4,8], %w1: f32[8,8]);      %y = all_reduce(matmul(%h, %w2)) {axis=tp}
/// What is rewritten comes from the terms alone: shapes, slice bounds, offsets of lookups and of classes.
/// A pending sum that meets a whole addend keeps that addend on the first holder and replaces it by 0 elsewhere.
#pragma once

#include "compiler/sharding/local_program.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Expected<LocalProgram> localise(const PlacedGraph &placed, int coordinate);

} // namespace autotp
