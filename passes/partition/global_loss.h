/// \file Makes the loss that of the global batch, whatever each of its terms is divided by.
/// Before:  %t = reduce_sum(%losses);  %n = reduce_sum(%mask);  %loss = div(%t, %n)      the mask depends on inputs
/// alone
/// After:   %m = mul(%t, 8);  state %batch_statistic.0;  %loss = div(%m, %batch_statistic.0)
///          return loss=%loss, batch_statistic.0=%n                                       with 8 micro-batches in a
///          step
/// A sum over the batch that depends on inputs alone is a batch statistic: a state holds its sum over all micro-steps
/// and dp ranks before the first micro-step runs. Every other sum over the batch in which the loss is linear is
/// multiplied by the number of micro-batches, and so is a constant that counts elements of the batch. Each summed value
/// is then that of the global batch, or an estimate whose mean over all micro-batches is exact, so the mean of the loss
/// over micro-batches is the loss of the global batch. A value in which the loss is not linear (a denominator that
/// depends on parameters, the statistics of a batch norm) stays that of each micro-batch, and is named in the result.
/// If the loss is the mean of one cross-entropy, it is left alone: differentiate.h divides its sum by the count of the
/// global batch.
#pragma once

#include "compiler/axes/axis_arena.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

class Graph;
struct GraphAxes;

struct LossTerms {
  unsigned statistics = 0;
  std::vector<std::string> ofMicroBatches; ///< origins of the nodes whose value stays that of each micro-batch
  bool isSum = false; ///< whether the loss is a sum over the samples of the global batch, not their mean
};

/// `microBatches`: the number of micro-batches in a step, over dp and gradient accumulation.
/// `share`: the size of the micro-batch divided by the size of the batch that the graph has now.
struct GlobalBatch {
  int64_t microBatches = 1;
  double share = 1;
};

/// Makes the counts of labels in cross-entropies nodes of their own, which depend on labels alone. Must run before axes
/// are found.
void exposeCounts(Graph &graph);

/// Changes the constants that count elements of the batch and, if a step has several micro-batches, the loss. Errors:
/// the micro-batch is smaller than the batch, and the loss is not linear in a function of it; or both such a function
/// and another term need the same value.
llvm::Expected<LossTerms> makeLossGlobal(Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch,
                                         GlobalBatch to);

} // namespace autotp
