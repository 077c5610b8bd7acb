/// \file Finds the logical axes of a graph: which dimensions of which values are the same axis.
/// Before:  %h = matmul(%x: f32[4,8], %w: f32[8,16])
/// After:   %x [b, k], %w [k, f], %h [b, f]; a reshape makes products, a slice or concat makes segments
/// Changes no node. If the terms of an operand cannot be unified with those of the value that it reads, the operand is
/// cut: a reshard may be needed there. This costs speed at most. The result does not depend on the order of the nodes.
/// A parameter and its gradient (compiler/ir/gradient_outputs.h) get the same terms.
#pragma once

#include "compiler/sharding/graph_axes.h"

namespace autotp {

class Graph;

/// If one dimension of an operand cannot be unified: Operands cuts all its dimensions, as placements need it;
/// Dimensions cuts only that one, which relates more dimensions and so finds the batch in more values.
enum class Cuts : uint8_t { Operands, Dimensions };

GraphAxes findAxes(const Graph &graph, Cuts cuts = Cuts::Operands);

} // namespace autotp
