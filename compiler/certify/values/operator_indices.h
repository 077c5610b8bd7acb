/// \file Which index runs over which dimension of an operator's operands and results: the operator table's axis rule,
/// with its leaves numbered.
#pragma once

#include "compiler/certify/values/ids.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>
#include <vector>

namespace autotp {

class IndexLists;
struct OpCall;
struct OpDef;

/// Says it of one operator with its attributes and global types.
struct OperatorIndices {
  struct Dim {
    enum class Kind : uint8_t { One, Leaf, Product, Concat } kind = Kind::One;
    llvm::SmallVector<unsigned, 3> leaves;
  };
  using Dims = llvm::SmallVector<Dim, 6>;
  std::vector<Dims> ins, outs;
  Sizes sizes;                                            ///< of each leaf
  std::vector<llvm::SmallVector<unsigned, 3>> contracted; ///< of each result: leaves that are summed
  llvm::SmallVector<bool, 8> isWhole;                     ///< leaves that the operator needs whole
  int lookup = -1, scatter = -1, classes = -1;            ///< leaves
  int cutDim = -1;
  bool isMaximum = false; ///< contracted leaves are maximised instead
  bool isUnknown = false; ///< the rule made trees of more than one level: not followed
};

OperatorIndices operatorIndices(const OpDef &row, const OpCall &call);

/// Finds the lists of a dimension's leaves from that of the dimension; false if it is no product or concat of any.
bool listsOfLeaves(IndexLists &lists, const OperatorIndices &indices, const OperatorIndices::Dim &dim, ListId list,
                   llvm::MutableArrayRef<ListId> parts);
/// Makes the list of a dimension from those of its leaves.
std::optional<ListId> listOfDim(IndexLists &lists, const OperatorIndices &indices, const OperatorIndices::Dim &dim,
                                llvm::ArrayRef<ListId> leafLists);

} // namespace autotp
