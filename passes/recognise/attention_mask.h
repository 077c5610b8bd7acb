/// \file The masks that an attention adds to its scores, and what they amount to.
#pragma once

#include "passes/recognise/pattern.h"

#include <map>
#include <tuple>

namespace autotp {

/// One term of a mask, broadcast to the scores [b, h, s, t]. Without a condition `value` is added. With one, scores
/// where it holds (or does not, `isInverted`) are replaced by `fill`: hidden keys.
struct MaskTerm {
  ValueId value; ///< float to add, or a bool condition
  bool isCondition = false, isInverted = false;
  double fill = 0;

  auto key() const { return std::tuple(value, isCondition, isInverted, fill); }
  bool operator<(const MaskTerm &other) const { return key() < other.key(); }
};

struct Mask {
  bool isCausal = false;
  bool replaces = false; ///< a finite number in `value` that hides a key stands for the score, which has no slope then
  ValueId value = kNone; ///< [b|1, h|1, s, t], or kNone
};

/// The sum of `terms` for scores of type `scores` ([b, h, s, t]), built before `before`. Constants that say "keys up to
/// i" become isCausal, zeros vanish, and constants that repeat along batch or heads have size 1 there. None: a term
/// that a gradient would have to reach, or that hides keys too weakly to be a mask.
std::optional<Mask> makeMask(Graph &graph, llvm::ArrayRef<MaskTerm> terms, const Type &scores, NodeId before);

/// Masks that were made, by what they were made from: layers share them. (Nodes are matched in order, so that one made
/// before an earlier attention is there for a later one.)
using MadeMasks = std::map<std::pair<std::vector<MaskTerm>, std::string>, std::optional<Mask>>;

} // namespace autotp
