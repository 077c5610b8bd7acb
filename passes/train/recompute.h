/// \file Trades compute for memory: values of the forward that the backward would keep are computed again.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

/// What is computed again in the backward.
enum class Recompute : uint8_t {
  None,
  Attention, ///< what lies between two products of activations: scores, their softmax. Nothing where attention is fused
  Layer,     ///< all but what passes from one layer to the next, results of collectives, and the last layer
};

/// Before: a rank's forward and backward, collectives among them. After: the same values; where the backward used a
/// value of the forward that is not kept, it uses a copy, whose nodes are marked backward and stand before the first use
/// in that layer's backward. No collective runs twice.
///
/// Layers are found by bytes: the forward is cut where what lives on is least, at most half of what lived before and
/// after (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", where a user names the cuts).
/// Returns how many values are no longer kept.
unsigned recompute(Graph &graph, Recompute what);

} // namespace autotp
