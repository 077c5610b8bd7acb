/// \file Finds the logical axes of a graph: which dimensions of which values are the same axis.
/// Before:  %h = matmul(%x: f32[4,8], %w: f32[8,16])
/// After:   %x [b, k], %w [k, f], %h [b, f]; a reshape makes products, a slice or concat makes segments
/// Changes no node. Where two structures cannot be unified, that operand is cut: a reshard may stand there, and nothing
/// else is lost. The result does not depend on the order of the nodes.
/// A parameter and its gradient (see compiler/ir/gradient_outputs.h) are one set of terms.
#pragma once

#include "compiler/sharding/graph_axes.h"

namespace autotp {

/// What is cut of an operand that cannot be unified: all of it, as placements need it, or its dimensions that cannot. The
/// latter tells more of what is the same: where the batch is.
enum class Cuts : uint8_t { Operands, Dimensions };

GraphAxes findAxes(const Graph &graph, Cuts cuts = Cuts::Operands);

} // namespace autotp
