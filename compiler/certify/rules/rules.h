/// \file Rules: what a call or collective leaves in memory, if it is one that the certificate knows. One family a file.
/// A rule reads what the operands hold, returns an error unless that is what it must be, and writes what the results hold.
#pragma once

#include "compiler/certify/operators/operator_rule.h"
#include "compiler/certify/state/tp_rank.h"
#include "runtime/plan/kernels/kernel_id.h"

namespace autotp {

/// The rule of a kernel call.
using Rule = llvm::Error(TpRank &rank, const plan::KernelCall &call);
/// The rule of a call on numbers of a step of training that are no values of the graph. `reads` is what its operands hold.
using NumberRule = llvm::Error(TpRank &rank, const plan::KernelCall &call, Reads reads);

/// Returns the rule of a kernel (rule_table.cpp).
Rule &ruleOf(KernelId kernel);
/// Returns the rule of a call on such numbers, or null if it is none.
NumberRule *numberRuleOf(KernelId kernel, Reads reads);

// A part of an operator of the graph (operator_calls.cpp), or moved elements (moves.cpp).
Rule operatorCall, moveCall;
/// Returns what the result of a call holds that is no operator of the graph: moved elements, or zeros that stand for a sum
/// of which this tp rank has nothing. Null if it is neither (moved_values.cpp).
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
/// Writes the loss scale of the first step, and checks what must be there when a step has ended.
llvm::Error placeLossScale(TpRank &rank, const plan::State &state);
llvm::Error checkLossScale(TpRank &rank);

/// A member of a group over tp or the world, at its collective; it stands for all dp ranks of a tp rank.
struct Member {
  TpRank *rank;
  const plan::Instruction *instruction;

  const plan::Collective &collective() const { return instruction->collective(); }
};
// The rules of collectives, by the axis of their group (collectives_over_*.cpp). Members are in group order.
llvm::Error collectiveOverDp(TpRank &rank, const plan::Collective &collective);
llvm::Error collectiveOverTp(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group);
llvm::Error collectiveOverAll(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group);

} // namespace autotp
