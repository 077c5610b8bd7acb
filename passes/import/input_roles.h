/// \file What each input of the graph means, derived from where its values go: for data sources, and for checks.
#pragma once

#include "compiler/ir/graph.h"
#include "passes/import/input_bounds.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

namespace autotp {

struct InputRole {
  std::string name,
      role; ///< tokens, labels (shifted in the graph), next-labels (the feed must shift), ones, positions, data; unused
  int64_t limit = 0;     ///< exclusive upper bound of integer values; 0: none; of several bounds the smallest
  bool isBatched = true; ///< its first dimension counts samples; else it is the same for all samples of a step
  std::vector<InputBound> bounds = {}; ///< where parts of it have bounds of their own
  std::vector<int64_t> ignored = {};   ///< labels at or above the limit that a loss leaves out, such as 255
};

/// tokens: indices of a lookup (of the largest table, where there are several). labels, next-labels: the labels of a
/// cross-entropy, or what picks one element of each row, by index or by comparing, shifted on the way or not. positions: indices of a smaller table with a row for each place of the
/// sequence, or integers that reach a sine. ones: integers that reach the scores of a softmax. Floats are
/// data, and so are the indices of other tables, such as kinds of tokens. unused: no node reads it.
/// `given`: --input NAME=ROLE. Errors: an input whose role cannot be told, or a role that does not exist.
llvm::Expected<std::vector<InputRole>> inputRoles(const Graph &graph, const llvm::StringMap<std::string> &given);

} // namespace autotp
