/// \file Moves between covers of one value on the tp axis, as nodes of a local graph.
#pragma once

#include "compiler/ops/op_def.h"
#include "compiler/sharding/first_holder.h"

namespace autotp {

Shape shapeOf(const Covers &covers);
Covers wholeCovers(llvm::ArrayRef<int64_t> shape);

/// The elements `to` of a value held as `from`; `to` must lie inside `from`. Free of communication: slices and concats.
ValueId takePart(Builder &b, ValueId value, const Covers &from, const Covers &to);

/// The part `covers` of a constant.
Tensor partOf(const Tensor &tensor, const Covers &covers);

/// The whole value from all coordinates' parts: one all-gather; of several holders the first one's elements are taken.
/// held[c] are the covers of coordinate c.
ValueId gatherWhole(Builder &b, ValueId value, llvm::ArrayRef<Covers> held, llvm::ArrayRef<int64_t> shape);

/// Reduces a pending sum over the coordinates that hold the same part; where parts overlap without being equal, over
/// all coordinates with zeros from those that lack an element. Nothing where no other coordinate shares an element.
ValueId reduceSum(Builder &b, ValueId value, llvm::ArrayRef<Covers> held, llvm::ArrayRef<int64_t> shape,
                  int coordinate);

/// The coordinate's own part of a sum that is pending on all coordinates, which all hold it as `from`: one
/// reduce-scatter. parts[c] is what coordinate c gets; none overlaps another.
ValueId reduceScatter(Builder &b, ValueId value, const Covers &from, llvm::ArrayRef<Covers> parts, int coordinate);

} // namespace autotp
