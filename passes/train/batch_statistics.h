/// \file Takes what computes the batch statistics (compiler/ir/loss.h) out of a coordinate's micro-step.
/// Before:  state %batch_statistic.0;  %n = reduce_sum(%mask);  ...;  return loss_sum, .., batch_statistic.0=%n
/// After:   that without %n, and a graph of its own: input %mask;  %n = reduce_sum(%mask);  return batch_statistic.0=%n
#pragma once

#include "compiler/ir/loss.h"

namespace autotp {

/// A graph without outputs where there are none.
Graph takeBatchStatistics(Graph &microStep);

} // namespace autotp
