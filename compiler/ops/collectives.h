/// \file Collectives: nodes of local graphs that the ranks of a group run together. Their attributes, which are text in
/// the IR, are written and read here alone.
#pragma once

#include "compiler/ops/op_def.h"
#include "runtime/plan/collective.h"

namespace autotp {

/// The ranks that take part, by their place on a mesh axis.
struct RankGroup {
  plan::MeshAxis axis;
  llvm::SmallVector<int64_t, 6> ranks;
};
/// Ranks 0 to `size` - 1 of a mesh axis.
RankGroup everyRank(plan::MeshAxis axis, int size);

/// What all ranks of the group have, added or compared element by element; of one rank, the value itself.
ValueId allReduce(Builder &b, ValueId value, const RankGroup &group, Reduction how = Reduction::Sum);
/// The elements of all ranks, [elements], in the order of the group. `counts` are those of each rank; empty: all equal.
ValueId allGather(Builder &b, ValueId own, const RankGroup &group, int64_t elements,
                  llvm::ArrayRef<int64_t> counts = {});
/// The same, written into `whole`, in which `own` has its place.
ValueId allGatherInto(Builder &b, ValueId own, ValueId whole, const RankGroup &group);
/// This rank's `elements` of the sum of all ranks' values. `counts` as for allGather().
ValueId reduceScatter(Builder &b, ValueId value, const RankGroup &group, int64_t elements,
                      llvm::ArrayRef<int64_t> counts = {});

/// What a node of a collective says. The node must have passed the verifier.
plan::CollectiveKind kindOf(const Node &collective);
plan::MeshAxis meshAxisOf(const Node &collective);

} // namespace autotp
