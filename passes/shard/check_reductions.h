/// \file Verifies placed sums: every use of a Partial value that is not reduced must be able to take it.
/// Accepts:  %y = matmul(%h, %w2) partial, reduced        %z = relu(%y)
///           %y = matmul(%h, %w2) partial                 %z = scale(%y), which is linear, so %z is Partial as well
/// Refuses:  %y = matmul(%h, %w2) partial                 %z = relu(%y)
#pragma once

#include "compiler/sharding/local_program.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Errors: each use that cannot take its Partial operand, each result that such an operand makes Partial but that is not
/// marked as such, and each output that is left Partial; all of them are listed. An exception is the gradient of a
/// parameter that every tp rank holds whole: it may be left Partial, since its bucket is reduced over tp as well. An
/// error here is a bug of the compiler. The marks of results that a node itself makes Partial are taken as given.
/// `region` is null without sequence parallelism.
llvm::Error checkReductions(const Graph &graph, const GraphAxes &axes, const Assignment &assignment,
                            const Reductions &reductions, const SequenceRegion *region);

} // namespace autotp
