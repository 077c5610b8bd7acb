/// \file Adds the section of a tp rank that computes the loss of a micro-batch outside of training.
/// Before:  micro_step:  ...;  %y = dropout(%x);  ...;  loss_sum += %sum;  count += %count;  gradients
/// After:   the same, and
///          evaluate:    ...;  %x in place of %y;  ...;  loss_sum += %sum;  count += %count;  return loss_sum, count
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

/// The micro-step must be complete. Sources and states of the new section lie where those of the micro-step do.
void addEvaluation(RankProgram &program);

} // namespace autotp
