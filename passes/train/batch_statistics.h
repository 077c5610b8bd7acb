/// \file Moves the nodes that compute batch statistics (compiler/ir/loss.h) from the micro-step of a tp rank to a
/// section of their own.
/// Before:  micro_step:        state %batch_statistic.0;  %n = reduce_sum(%mask);  ...;  return ..,
/// batch_statistic.0=%n
/// After:   micro_step:        the same without %n; its source %batch_statistic.0 lies in a state slice
///          batch_statistics:  %n = reduce_sum(%mask);  state += all_reduce(%n) over dp
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

/// The micro-step must have the outputs of the local graph. Without batch statistics, nothing is changed.
void addBatchStatistics(RankProgram &program, int dp);

} // namespace autotp
