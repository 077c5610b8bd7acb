/// \file Index texts of operator rows, such as "... m k, ... k n -> ... m n": which index runs over which dimension of
/// the operands and results. docs/ir.md has the grammar.
#pragma once

#include "compiler/axes/axis_arena.h"
#include "runtime/base/error.h"

namespace autotp {

/// The indices of one node. `ins` and `outs` have a list of axes for each operand and result, kNoAxis for dimensions of
/// size 1.
struct IndexTerms {
  using Axes = llvm::SmallVector<AxisId, 6>;
  std::vector<Axes> ins, outs;
  std::vector<Axes> contracted; ///< for each result: the leaves of operands that it lacks, over which it sums
  std::vector<std::pair<AxisId, std::string>> whole;
  Axes within; ///< axes that are needed whole, but whose parts may be reduced within the operator (OpDef::formula)
  AxisId lookup = kNoAxis, scatter = kNoAxis, classes = kNoAxis;
  int cutDim = -1;
};

/// The terms of an operator with `operands` operands and one result, all empty, for an axis rule to fill.
IndexTerms emptyTerms(size_t operands);
/// A new axis for each dimension; kNoAxis for a dimension of size 1.
IndexTerms::Axes freshAxes(AxisArena &arena, llvm::ArrayRef<int64_t> shape);

class IndexText {
  /// A parsed text. Errors: the text is not well formed (parse), or does not fit the shapes (instantiate).
public:
  using Shapes = llvm::ArrayRef<llvm::ArrayRef<int64_t>>;
  struct Dim {
    enum class Kind : uint8_t { Letter, Many, Product, Concat } kind;
    std::vector<std::string> names; ///< one name for Letter and Many, empty for a Many without a name
    std::vector<bool> isWhole;
  };
  static llvm::Expected<IndexText> parse(llvm::StringRef text);
  llvm::Expected<IndexTerms> instantiate(AxisArena &arena, Shapes operands, Shapes results) const;

private:
  friend struct Instantiation;
  std::string text_;
  std::vector<std::vector<Dim>> ins_, outs_;
};

/// The terms of a node by the text of its operator row. If the text does not fit the shapes, each dimension gets a new
/// axis that must stay whole, with the error as the reason.
IndexTerms instantiateText(llvm::StringRef text, AxisArena &arena, IndexText::Shapes operands,
                           IndexText::Shapes results);
template <typename T>
IndexTerms instantiateText(llvm::StringRef text, AxisArena &arena, llvm::ArrayRef<T> operands,
                           llvm::ArrayRef<T> results) {
  std::vector<llvm::ArrayRef<int64_t>> in, out;
  for (const T &type : operands)
    in.push_back(type.shape);
  for (const T &type : results)
    out.push_back(type.shape);
  return instantiateText(text, arena, IndexText::Shapes(in), IndexText::Shapes(out));
}
template <typename T, unsigned M, unsigned N>
IndexTerms instantiateText(llvm::StringRef text, AxisArena &arena, const llvm::SmallVector<T, M> &operands,
                           const llvm::SmallVector<T, N> &results) {
  return instantiateText<T>(text, arena, llvm::ArrayRef<T>(operands), llvm::ArrayRef<T>(results));
}

/// The axes of both sides of a reshape; `whole` lists those that must stay whole.
struct ReshapeTerms {
  std::vector<AxisId> from, to, whole;
};
/// Divides both shapes from the left into common factors. Dimensions without such factors get new axes that must stay
/// whole.
ReshapeTerms refineReshape(AxisArena &arena, llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to);

} // namespace autotp
