/// \file Finds the axis of the batch, which counts samples, and the inputs that have it.
/// Before:  input %ids: i64[4,6], %positions: i64[1,6], %bias: f32[6,6], %labels: i64[4,6]
/// After:   the batch is the first dimension of %ids and %labels; the others are the same for every sample
#pragma once

#include "compiler/sharding/graph_axes.h"

#include "llvm/ADT/StringSet.h"

namespace autotp {

class Graph;

struct Batch {
  AxisId axis = kNoAxis; ///< kNoAxis if there is only one sample, or no input has a batch
  int64_t size = 1;
  std::vector<bool> isBatched; ///< by input, in the order of Graph::sources
};

/// The batch is the first dimension of inputs and occurs in no later dimension of them. If several axes do so, it is
/// the one of most inputs, and of the first input among equals. An input of the batch's size is batched too if its
/// first dimension may be another axis (what is compared with what). An input that no node reads is not batched.
/// `withoutBatch` names inputs that, as the model's file says, have no batch; shapes do not tell that if the batch is
/// 1.
Batch findBatch(const Graph &graph, const GraphAxes &axes, const llvm::StringSet<> &withoutBatch);

} // namespace autotp
