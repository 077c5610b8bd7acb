/// \file Proves a plan against the graph that it was compiled from: a second reader, which shares no code with the
/// passes nor with compiler/sharding.
///
/// All programs are executed on symbols: what each byte of the arena holds, as elements of values of the graph. This is
/// proven for every rank:
/// - Each kernel call is a part of one operator of the graph: its operands hold equal lists of every index that they
///   share, what the operator needs whole is whole, constants are the claimed bytes, offsets of lookups and classes fit.
///   A fused call is the calls of the operators that it stands for.
/// - A Partial sum is reduced over a group whose members have each summand exactly once, before anything that is not
///   linear reads it. Nothing is reduced twice.
/// - Every element of every parameter is updated once on each rank that holds it, from its own gradient and states, by the
///   rule, rate and count that were asked for. If states are sliced, one dp rank or one of all ranks updates it, and the
///   others gather it from there; if parameters are sliced too, before they read it.
/// - Gradients are summed in f32 over micro-steps and dp, the norm counts every element once, and the divisor is the count
///   of the whole batch, times the loss scale.
/// - What micro-steps read as a batch statistic is the sum over all micro-batches and dp ranks of what the graph says.
/// - What is updated is f32: if the graph reads parameters in a smaller float, they are the updated master weights, rounded.
/// - A step whose norm over all ranks is not finite leaves parameters and states as they are, and halves the loss scale.
/// - Bytes are read only while they hold what was written for it: nothing is stale, unwritten or overwritten.
/// - Collectives match in order, group, count and dtype (check_world), and events order the queues (check_program).
/// Trusted are the graph itself (import, differentiation), the operator table's index texts and linearity, the kernels and
/// the communicator, and that weights (in small floats: rounded) and inputs are loaded into the tensors that the program
/// names for them. What cannot be followed is an error, never accepted.
#pragma once

#include "compiler/ir/updates.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Of f16: the graph's gradients are those of the loss times `state` and `share`.
struct LossScale {
  ValueId state = kNone;
  double share = 1, initial = 1;
  int64_t window = 1;     ///< so many good steps double it
  int64_t hysteresis = 1; ///< so many overflows halve it
  double minimum = 1;
  bool refills = false, isLate = false; ///< as the kernel's row has them
};

/// What the plan was asked to do, beside the graph.
struct CertifyOptions {
  int64_t tp = 1, dp = 1, gradAccum = 1;
  const Updates *updates = nullptr; ///< of the parameters; must outlive the call
  std::optional<LossScale> lossScale = {};
};

struct Certificate {
  int64_t instructions = 0, programs = 0;
};

/// `graph`: with gradients, as differentiation leaves it. `byTp`: the program of each tp rank.
/// Errors name the tp rank, section, step and origin, and say what was expected and what is there.
llvm::Expected<Certificate> certify(const Graph &graph, llvm::ArrayRef<const plan::Program *> byTp,
                                    const CertifyOptions &options);

} // namespace autotp
