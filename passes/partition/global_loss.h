/// \file Makes the loss that of the global batch, whatever each of its terms is divided by.
/// Before:  %t = reduce_sum(%losses);  %n = reduce_sum(%mask);  %loss = div(%t, %n)      the mask depends on inputs alone
/// After:   %m = mul(%t, 8);  state %batch_statistic.0;  %loss = div(%m, %batch_statistic.0)
///          return loss=%loss, batch_statistic.0=%n                                       with 8 micro-batches in a step
/// A sum over the batch that depends on inputs alone is a batch statistic: the state holds its sum over all micro-steps and
/// dp ranks before the first micro-step runs. Every other sum over the batch that the loss is linear in is multiplied by
/// the number of micro-batches, and a constant that counts the batch is multiplied by it, too: so each value that was
/// summed is the global batch's, or an estimate of it whose mean over all micro-batches is exact, and the mean over
/// micro-batches of the loss is the loss of the global batch. What the loss is not linear in (a denominator that depends
/// on parameters, statistics of a batch norm) stays that of each micro-batch, and is named.
/// The mean of one cross-entropy is left alone: differentiate.h divides its sum by the count of the global batch.
#pragma once

#include "passes/partition/batch_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

struct LossTerms {
  unsigned statistics = 0;
  std::vector<std::string> ofMicroBatches; ///< nodes whose value stays that of each micro-batch
  bool isSum = false;                      ///< over the samples of the global batch, not their mean
};

/// How many micro-batches a step has, over dp and gradient accumulation; and the micro-batch as a share of the batch that
/// the graph has now.
struct GlobalBatch {
  int64_t microBatches = 1;
  double share = 1;
};

/// Counts of labels as nodes of their own, which depend on labels alone. Before axes are found.
void exposeCounts(Graph &graph);

/// Changes the constants that count the batch and, where there are several micro-batches, the loss. Errors: a smaller
/// batch under a function that the loss is not linear in; a value that both such a function and another term need.
llvm::Expected<LossTerms> makeLossGlobal(Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch,
                                         GlobalBatch to);

} // namespace autotp
