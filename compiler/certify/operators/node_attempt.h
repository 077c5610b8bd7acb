/// \file One operator of the graph that a kernel call may be a part of.
#pragma once

#include "compiler/certify/operators/node_rule.h"

namespace autotp {

/// Made for one call and one operator. Every step returns false, and says why, where the call is no part of it.
class NodeAttempt {
public:
  NodeAttempt(const GlobalValues &values, IndexLists &lists, Contributions &contributions, ContentStore &store,
              Moves &moves, const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads, unsigned node,
              std::string &why)
      : values_(values), lists_(lists), contributions_(contributions), store_(store), moves_(moves), call_(call),
        reads_(reads), id_(node), why_(why), node_(values.node(node)), indices_(*node_.indices),
        views_(node_.operands.size()), leaves_(indices_.sizes.size()) {}

  /// What the results hold; null where one has no elements.
  bool run(std::vector<const Content *> &results);

private:
  using Dim = OperatorIndices::Dim;

  bool fail(const llvm::Twine &text);
  bool isAdditive() const { return node_.row->linearity == Linearity::Together; }
  std::string textOf(unsigned operand) const;

  // Which elements operands hold of each index (node_attempt.cpp).
  bool bind(unsigned leaf, ListId list);
  bool bindDims(unsigned operand, llvm::ArrayRef<ListId> held);
  bool takeOperand(unsigned operand);
  bool takeScatter();
  bool takeZeros(unsigned operand);
  bool takeConstant(unsigned operand);
  std::optional<ListId> hintFor(unsigned operand, int64_t held);
  bool checkParts();
  bool isFrom(int leaf, int64_t offset) const;
  bool checkPending();
  bool makeResult(size_t j, const Content *&made);

  // Which parts of a sum the result has (node_sums.cpp).
  bool sumParts(size_t j, Content &content);
  bool passParts(size_t j, Content &content);
  bool addParts(Content &content);
  bool addPending(unsigned operand, Content &content);
  llvm::SmallVector<unsigned, 4> summedLeaves(size_t j) const;
  bool overlay(unsigned operand, llvm::ArrayRef<ListId> held, Lists &own);
  bool placeElements(size_t j, const Content &content, llvm::ArrayRef<ListId> own, llvm::ArrayRef<ListId> spans,
                     Part &part);
  std::optional<unsigned> segmentOf(unsigned operand) const;
  void clearOtherSegments(unsigned operand, Lists &own, Lists &spans);
  bool cutToSegment(unsigned operand, const Content &content, Part &part);

  const GlobalValues &values_;
  IndexLists &lists_;
  Contributions &contributions_;
  ContentStore &store_;
  Moves &moves_;
  const plan::KernelCall &call_;
  llvm::ArrayRef<OperandRead> reads_;
  unsigned id_;
  std::string &why_;
  const GlobalNode &node_;
  const OperatorIndices &indices_;
  llvm::SmallVector<ViewId, 4> views_;        ///< as which operands are read, of those that are values
  std::vector<std::optional<ListId>> leaves_; ///< what is held of each index
  Lists bound_;                               ///< the same once all operands are known; kUnbound: not known
  static constexpr ListId kUnbound = ~0u;
  int pending_ = -1; ///< the operand whose sum is pending, of an operator that does not add
  bool addsParts_ = false;
  llvm::SmallVector<bool, 4> isGraphsZero_; ///< operands that are 0 here, and in the graph
};

} // namespace autotp
