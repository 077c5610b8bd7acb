/// \file The role of each input, derived from the nodes that its values reach. Data sources and checks use it.
#pragma once

#include "compiler/ir/graph.h"
#include "passes/import/input_bounds.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

namespace autotp {

struct InputRole {
  std::string name,
      /// tokens, labels (the graph shifts them), next-labels (the feed must shift them), ones, positions, data or
      /// unused
      role;
  int64_t limit = 0; ///< exclusive upper bound of integer values, the smallest if there are several; 0: none
  /// Whether the first dimension counts samples; otherwise the input is the same for all samples of a step.
  bool isBatched = true;
  std::vector<InputBound> bounds = {}; ///< if parts of the input have bounds of their own
  std::vector<int64_t> ignored = {};   ///< labels at or above the limit that the loss leaves out, such as 255
};

/// A line for people.
std::string textOf(const InputRole &input);

/// tokens: indices of a lookup, in the largest table if there are several. labels, next-labels: the labels of a
/// cross-entropy, or indices that pick one element of each row, by a lookup or a comparison; the graph shifts labels,
/// and the feed must shift next-labels. positions: indices of a smaller table with a row for each place of the
/// sequence, or integers that reach a sine. ones: integers that reach the scores of a softmax. data: floats, and
/// indices of other tables, such as token types. unused: no node reads the input.
/// `given` are the user's --input NAME=ROLE. Errors: the role of an input is not clear, or a given role does not exist.
llvm::Expected<std::vector<InputRole>> inputRoles(const Graph &graph, const llvm::StringMap<std::string> &given);

} // namespace autotp
