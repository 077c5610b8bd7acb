/// \file Trades compute for memory: the backward computes values of the forward again instead of keeping them.
#pragma once

#include <cstdint>

namespace autotp {

class Graph;

/// Which values the backward computes again.
enum class Recompute : uint8_t {
  None,
  Attention, ///< values between two products of activations: scores and their softmax; none if attention is fused
  Layer, ///< all values but those that pass from one layer to the next, results of collectives, and the last layer's
};

/// Before: the forward and backward of a tp rank, with collectives. After: the same values; if the backward used a
/// value of the forward that is not kept, it uses a copy, whose nodes are marked as backward and stand before its first
/// use there. No collective runs twice.
///
/// Layers are found by bytes: the forward is cut at nodes after which the fewest bytes live on, at most half of the
/// peak before and after (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", in which the user names
/// the cuts).
/// Returns the number of values that are computed again.
unsigned recompute(Graph &graph, Recompute what);

} // namespace autotp
