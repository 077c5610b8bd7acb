/// \file Which part of a constant of the graph a rank's constant is.
#pragma once

#include "compiler/certify/values/byte_key.h"
#include "compiler/certify/values/ids.h"

#include <optional>

namespace autotp {

class IndexLists;
struct Constant;
struct GlobalOperand;
struct Interval;
struct Symbols;
struct Tensor;

/// What a tp rank holds of a dimension of some parameter, with the size of that dimension. It is tried if any part would
/// do: zeros of the graph that stand beside other segments of a dimension.
struct Hint {
  int64_t size;
  ListId list;
  bool operator==(const Hint &) const = default;
};

/// What is known of a constant operand: `held` of its dimensions, but of dimension `open` only that it has `length`
/// elements.
struct OpenPart {
  llvm::ArrayRef<ListId> held;
  size_t open;
  int64_t length;
};

class ConstantParts {
public:
  explicit ConstantParts(Symbols &symbols);

  void useHints(llvm::ArrayRef<Hint> hints) { hints_ = hints; }
  /// Of `all` indices that a tp rank may hold of a dimension of this size, returns those that lie in a segment, counted from
  /// its begin, if they are `held`.
  std::optional<ListId> hintFor(int64_t size, int64_t all, const Interval &segment, int64_t held);

  /// Returns the part of a constant of the graph that a constant of this local shape says it is, if that is true.
  std::optional<Lists> claimedPart(const Constant &constant, const GlobalOperand &wanted,
                                   llvm::ArrayRef<int64_t> local);
  /// Says whether a constant is these elements of a constant of the graph.
  bool isPartOf(const Constant &constant, const GlobalOperand &whole, llvm::ArrayRef<ListId> lists);
  /// Finds indices of the open dimension, in ascending order, at which the whole constant has what `constant` holds. If rows
  /// are equal, any will do, since what is claimed of them is true; parts that are held of parameters are tried first.
  std::optional<ListId> partAlong(const Constant &constant, const GlobalOperand &wanted, const OpenPart &part);

private:
  const char *comparedFrom(llvm::ArrayRef<char> bytes, const Tensor &whole, llvm::ArrayRef<ListId> lists, size_t dim,
                           int64_t at);
  std::optional<ListId> hintedPart(const Constant &constant, const GlobalOperand &wanted, const OpenPart &part);

  IndexLists &lists_;
  llvm::ArrayRef<Hint> hints_;
  ByteMap<bool> compared_; ///< constants with those of the graph
};

} // namespace autotp
