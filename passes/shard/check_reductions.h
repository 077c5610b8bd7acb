/// \file The verifier of placed sums: no use sees a Partial value that it cannot take.
/// Accepts:  %y = matmul(%h, %w2) partial, reduced        %z = relu(%y)
///           %y = matmul(%h, %w2) partial                 %z = scale(%y)     which is linear, and so Partial itself
/// Refuses:  %y = matmul(%h, %w2) partial                 %z = relu(%y)
#pragma once

#include "compiler/sharding/local_program.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Errors name each use that would see an unpaid sum, each result that is Partial and not marked so, and each output
/// that would be handed out unpaid; the gradient of a parameter that is whole on tp may be: its bucket reduces it.
llvm::Error checkReductions(const Graph &graph, const GraphAxes &axes, const Assignment &assignment,
                            const Reductions &reductions, const SequenceRegion *region);

} // namespace autotp
