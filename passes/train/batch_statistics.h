/// \file Takes what computes the batch statistics (compiler/ir/loss.h) out of a coordinate's micro-step.
/// Before:  micro_step:        state %batch_statistic.0;  %n = reduce_sum(%mask);  ...;  return .., batch_statistic.0=%n
/// After:   micro_step:        the same without %n, where the state has a home
///          batch_statistics:  %n = reduce_sum(%mask);  state += all_reduce(%n) over dp
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

/// Of a program whose micro-step has the outputs of the local graph. Nothing where it has no batch statistic.
void addBatchStatistics(RankProgram &program, int dp);

} // namespace autotp
