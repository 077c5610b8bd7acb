/// \file Rules: what a call or collective leaves in memory, if it is one that the certificate knows. One family a file.
/// A rule reads what the operands hold, returns an error unless that is what it must be, and writes what the results hold.
#pragma once

#include "compiler/certify/operators/operator_rule.h"
#include "compiler/certify/state/tp_rank.h"
#include "runtime/plan/kernel_id.h"

namespace autotp {

using Rule = llvm::Error(TpRank &rank, const plan::KernelCall &call);
/// Of calls on numbers of a step that are no values of the graph. `reads`: their operands.
using NumberRule = llvm::Error(TpRank &rank, const plan::KernelCall &call, Reads reads);

/// The rule of a kernel (rule_table.cpp).
Rule &ruleOf(KernelId kernel);
/// The rule of a call on such numbers, or null if it is none.
NumberRule *numberRuleOf(KernelId kernel, Reads reads);

// A part of an operator of the graph (operator_calls.cpp), or moved elements (moves.cpp).
Rule operatorCall, moveCall;
/// What the result of a call holds that is no operator of the graph: moved elements, and zeros that stand for a sum of
/// which this tp rank has nothing. Null if it is neither (moved_values.cpp).
const Content *movedValue(Proof &proof, const plan::KernelCall &call, Reads reads);

// Gradients: their sums, norm and scale (gradients.cpp).
Rule accumulate, sumSquares, scaleGradients;
NumberRule addSquares, meanLoss;

// Updates of parameters (updates.cpp), and parameters from updated master weights (master_weights.cpp).
Rule updateParameters, castCall;

// The schedule of updates (schedule_calls.cpp).
NumberRule scheduleCall;

// The loss scale (loss_scale.cpp).
Rule decideStep;
NumberRule scaleDivisor, askWhetherSkipped, keepWhereSkipped;
/// The loss scale of the first step, and what must be there when a step has ended.
llvm::Error placeLossScale(TpRank &rank, const plan::State &state);
llvm::Error checkLossScale(TpRank &rank);

/// A member of a group over tp or the world, at its collective; it stands for all dp ranks of a tp rank.
struct Member {
  TpRank *rank;
  const plan::Step *step;

  const plan::Collective &collective() const { return step->collective(); }
};
/// What collectives leave, by the axis of their group; members are in group order.
llvm::Error collectiveOverDp(TpRank &rank, const plan::Collective &collective);
llvm::Error collectiveOverTp(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group);
llvm::Error collectiveOverAll(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group);

} // namespace autotp
