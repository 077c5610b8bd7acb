/// \file Proves a plan against the graph that it was compiled from: a second reader, which shares no code with the
/// passes nor with compiler/sharding.
///
/// Proven, for every rank, by executing all programs on symbols (what each byte of the arena holds, as elements of
/// values of the graph):
/// - each kernel call is a part of one operator of the graph: its operands hold equal lists of every index that they
///   share, what the operator needs whole is whole, constants are the claimed bytes, offsets of lookups and classes fit;
///   a fused call is the calls of the operators that it stands for;
/// - a pending sum is reduced over a group whose members have each summand exactly once, before anything that is not
///   linear reads it; nothing is reduced twice;
/// - every element of every parameter is updated once on each rank that holds it (by one dp rank, or one of all ranks,
///   where states are sliced, and gathered from there, before it is read where parameters are sliced too), from its own
///   gradient and states, by the rule, rate and count that were asked for;
///   gradients are summed in f32 over micro-steps and dp; the norm counts every element once; the divisor is the count
///   of the whole batch, times the loss scale;
/// - what micro-steps read as a batch statistic is the sum over all micro-batches and dp ranks of what the graph says;
/// - what is updated is f32: where the graph reads parameters in a smaller float, they are the updated master weights,
///   rounded;
/// - a step whose norm over all ranks is not finite leaves parameters and states as they are, and halves the loss scale;
/// - bytes are read only while they hold what was written for it: nothing stale, nothing unwritten, nothing overlapped;
/// - collectives match in order, group, count and dtype (check_world), and events order the queues (check_program).
/// Trusted: the graph itself (import, differentiation), the operator table's index texts and linearity, the kernels and
/// the communicator, and that weights (rounded, where they are small floats) and inputs are loaded into the tensors that
/// the program names for them. What cannot be followed is an error, never accepted.
#pragma once

#include "compiler/ir/updates.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Of f16: the graph's gradients are those of the loss times `state` and `share`.
struct LossScale {
  ValueId state = kNone;
  double share = 1, initial = 1;
  int64_t window = 1; ///< so many good steps double it
};

/// What the plan was asked to do, beside the graph.
struct CertifyOptions {
  int64_t tp = 1, dp = 1, gradAccum = 1;
  const Updates *updates = nullptr; ///< of the parameters; must outlive the call
  std::optional<LossScale> lossScale = {};
};

struct Certificate {
  int64_t steps = 0, programs = 0;
};

/// `graph`: with gradients, as differentiation leaves it. `byTp`: the program of each tp coordinate.
/// Errors name the tp coordinate, section, step and origin, and say what was expected and what is there.
llvm::Expected<Certificate> certify(const Graph &graph, llvm::ArrayRef<const plan::Program *> byTp,
                                    const CertifyOptions &options);

} // namespace autotp
