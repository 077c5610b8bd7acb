/// \file Reshards: changes from one cover of a value to another over tp, as nodes of a local graph. Covers are indexed
/// by tp rank.
#pragma once

#include "compiler/ops/op_def.h"
#include "compiler/sharding/first_holder.h"

namespace autotp {

Shape shapeOf(const Covers &covers);
Covers wholeCovers(llvm::ArrayRef<int64_t> shape);
/// What covers select, in pieces one after the other in row-major order: rows, or several of them that together have at
/// most so many elements.
std::vector<Covers> piecesOf(const Covers &covers, int64_t mostElements);
/// Elements of a piece where weights pass through memory: 16 MiB of f32.
constexpr int64_t kPieceElements = int64_t(1) << 22;

/// The elements `to` of a value of which `from` is held; `to` must lie inside `from`. Makes slices and concats only,
/// without communication.
ValueId takePart(Builder &b, ValueId value, const Covers &from, const Covers &to);

/// The elements `covers` of a constant.
Tensor partOf(const Tensor &tensor, const Covers &covers);

/// The whole value, from the parts `held` of all ranks, by one all_gather. If several ranks hold an element, it is
/// taken from the first of them.
ValueId gatherWhole(Builder &b, ValueId value, llvm::ArrayRef<Covers> held, llvm::ArrayRef<int64_t> shape);

/// Reduces a Partial value. Ranks that hold the same part all-reduce it among them. If some parts overlap without being
/// equal, all ranks take part, with zeros for elements that they lack. If no other rank shares an element, the value is
/// returned as it is.
ValueId reduceSum(Builder &b, ValueId value, llvm::ArrayRef<Covers> held, llvm::ArrayRef<int64_t> shape, int tpRank);

/// Reduces a value that is Partial on all ranks, which all hold it as `from`, and leaves this rank with its part, by
/// one reduce_scatter. Rank c gets parts[c]; the parts do not overlap.
ValueId reduceScatter(Builder &b, ValueId value, const Covers &from, llvm::ArrayRef<Covers> parts, int tpRank);

} // namespace autotp
