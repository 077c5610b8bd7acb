/// \file What a parameter starts with in a plan without weights.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

struct InitialNumbers {
  double mean, deviation; ///< of normal numbers; without a deviation all are the mean
};

/// As in untrained models: matrices are random, vectors that scale are ones, and vectors that are only added (biases, and
/// w where 1 + w scales) are zeros.
InitialNumbers initialNumbersOf(const Graph &graph, ValueId parameter);

} // namespace autotp
