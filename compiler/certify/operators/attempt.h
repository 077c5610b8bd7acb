/// \file One operator of the graph that a kernel call may be a part of.
#pragma once

#include "compiler/certify/contents/symbols.h"
#include "compiler/certify/moves/constant_parts.h"
#include "compiler/certify/operators/operator_rule.h"

namespace autotp {

/// One attempt to prove that a call is a part of an operator. A function that fails says why it is none.
class Attempt {
public:
  Attempt(Symbols &symbols, ConstantParts &constants, const plan::KernelCall &call, Reads reads, unsigned node)
      : symbols_(symbols), lists_(symbols.lists), constants_(constants), call_(call), reads_(reads), id_(node),
        node_(symbols.values.node(node)), indices_(*node_.indices), views_(node_.operands.size()),
        leaves_(indices_.sizes.size()) {}

  llvm::Expected<Results> run();

private:
  using Dim = OperatorIndices::Dim;
  static constexpr ListId kUnbound = ~0u;

  bool isAdditive() const;
  std::string textOf(unsigned operand) const;

  // These find which elements operands hold of each index (attempt.cpp).
  llvm::Error takeOperands();
  llvm::Error bind(unsigned leaf, ListId list);
  llvm::Error bindDims(unsigned operand, llvm::ArrayRef<ListId> held);
  llvm::Error takeValue(unsigned operand);
  llvm::Error takeScatter();
  llvm::Error takeZeros(unsigned operand);
  llvm::Error checkParts() const;
  bool isFrom(int leaf, int64_t offset) const;
  llvm::Error checkPartials();
  llvm::Expected<const Content *> result(size_t j);
  std::optional<ListId> listOfResult(const Dim &dim, int64_t size, int64_t all);

  // These find which part of the graph's constants an operand is (attempt_constants.cpp).
  llvm::Error takeConstant(unsigned operand);
  /// The part that a constant operand is, as far as other operands say it. Of dimension `open` nothing says it.
  struct ConstantPart {
    Lists held = {};
    std::optional<size_t> open = {};
  };
  llvm::Expected<ConstantPart> partOfConstant(unsigned operand);
  bool isKnown(const Dim &dim) const;
  std::optional<ListId> listOfKnown(const Dim &dim);
  std::optional<ListId> hintFor(unsigned operand, int64_t held);

  // These find which summands the result has (attempt_sums.cpp).
  llvm::Error sumSummands(size_t j, Elements &result);
  llvm::Error passSummands(size_t j, Elements &result);
  llvm::Error addSummands(Elements &result);
  llvm::Error addPartial(unsigned operand, Elements &result);
  /// What one box of summands has of all indices, and their spans.
  struct Bounds {
    Lists own, spans;
  };
  std::optional<Bounds> boundsOf(unsigned operand, const Summands &summands);
  llvm::SmallVector<unsigned, 4> summedLeaves(size_t j) const;
  bool overlay(unsigned operand, llvm::ArrayRef<ListId> held, Lists &own);
  bool placeElements(size_t j, const Elements &result, const Bounds &bounds, Summands &summands);
  std::optional<unsigned> segmentOf(unsigned operand) const;
  void clearOtherSegments(unsigned operand, Bounds &bounds);
  llvm::Error cutToSegment(unsigned operand, const Elements &result, Summands &summands);

  Symbols &symbols_;
  IndexLists &lists_;
  ConstantParts &constants_;
  const plan::KernelCall &call_;
  Reads reads_;
  unsigned id_;
  const GlobalNode &node_;
  const OperatorIndices &indices_;
  llvm::SmallVector<ViewId, 4> views_;        ///< as which operands are read, of those that are values
  std::vector<std::optional<ListId>> leaves_; ///< what is held of each index
  Lists bound_;                               ///< the same once all operands are known
  int partial_ = -1;                          ///< the operand that is a Partial sum, of an operator that does not add
  bool addsParts_ = false;                    ///< what operands hold are addends whose others may be elsewhere
  llvm::SmallVector<bool, 4> isGraphsZero_;   ///< operands that are 0 here, and in the graph
};

} // namespace autotp
