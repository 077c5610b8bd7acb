/// \file Which inputs of a graph hold samples, and the axis that counts them: the batch.
/// Before:  input %ids: i64[4,6], %positions: i64[1,6], %bias: f32[6,6], %labels: i64[4,6]
/// After:   the batch is the first dimension of %ids and %labels; the others are the same for every sample
#pragma once

#include "compiler/sharding/graph_axes.h"

#include "llvm/ADT/StringSet.h"

namespace autotp {

struct Batch {
  AxisId axis = kNoAxis; ///< kNoAxis: one sample is here, or no input has any
  int64_t size = 1;
  std::vector<bool> isBatched; ///< by input, in the order of Graph::sources
};

/// The batch leads inputs and stands nowhere else in them; among several such axes it is that of most inputs, of the
/// first among equals. An input of the batch's size whose first dimension may be another axis (what is compared with
/// what) is batched, too. What no node reads is not. `withoutBatch`: inputs of which the model's file says that they have
/// none, which shapes do not tell where the batch is 1.
Batch findBatch(const Graph &graph, const GraphAxes &axes, const llvm::StringSet<> &withoutBatch);

} // namespace autotp
