/// \file The masks of an attention: the terms that are added to its scores or replace them, and their sum.
#pragma once

#include "passes/recognise/pattern.h"

#include <map>
#include <tuple>

namespace autotp {

/// One term of a mask, broadcast to the scores [b, h, s, t]. Without a condition, `value` is added to the scores. With
/// one, `fill` replaces the scores for which it is true (false if `isInverted`), which hides keys.
struct MaskTerm {
  ValueId value; ///< floats to add, or a bool condition
  bool isCondition = false, isInverted = false;
  double fill = 0;

  auto key() const { return std::tuple(value, isCondition, isInverted, fill); }
  bool operator<(const MaskTerm &other) const { return key() < other.key(); }
};

struct Mask {
  bool isCausal = false;
  bool replaces = false; ///< a finite number in `value` that hides a key replaces the score, which then has gradient 0
  ValueId value = kNone; ///< [b or 1, h or 1, s, t], or kNone
};

/// The sum of `terms` for scores of type `scores` ([b, h, s, t]), built before the node `before`. Constants that hide
/// exactly the keys after each query become isCausal, zeros are dropped, and constants that are equal along batch or
/// heads get size 1 there. Returns nothing if a gradient would have to reach a term, or a term hides keys too weakly to
/// be a mask.
std::optional<Mask> makeMask(Graph &graph, llvm::ArrayRef<MaskTerm> terms, const Type &scores, NodeId before);

/// Masks that were made, by their terms and the type of the scores, so that layers share them. Nodes are matched in
/// order, so a mask that was made before an earlier attention is also defined before a later one.
using MadeMasks = std::map<std::pair<std::vector<MaskTerm>, std::string>, std::optional<Mask>>;

} // namespace autotp
