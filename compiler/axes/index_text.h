/// \file Operator texts such as "... m k, ... k n -> ... m n": which index runs over which dimension.
/// name... : any number of dimensions, right aligned; (a b) product; (a|b) concat; c! must stay whole; a dimension of
/// size 1 has no index.
#pragma once

#include "compiler/axes/axis_arena.h"
#include "runtime/base/error.h"

namespace autotp {

struct IndexTerms {
  using Axes = llvm::SmallVector<AxisId, 6>;
  std::vector<Axes> ins, outs;
  std::vector<Axes> contracted; ///< for each output: leaves of operands that it lacks
  std::vector<std::pair<AxisId, std::string>> whole;
  Axes within; ///< all of them is needed, but parts may be reduced within the operator (OpDef::formula)
  AxisId lookup = kNoAxis, scatter = kNoAxis, classes = kNoAxis;
  int cutDim = -1;
};

/// Of an operator with so many operands and one result, to be filled by an axis rule.
IndexTerms emptyTerms(size_t operands);
/// An axis of its own for each dimension; a dimension of size 1 has none.
IndexTerms::Axes freshAxes(AxisArena &arena, llvm::ArrayRef<int64_t> shape);

class IndexText {
public:
  using Shapes = llvm::ArrayRef<llvm::ArrayRef<int64_t>>;
  struct Dim {
    enum class Kind : uint8_t { Letter, Many, Product, Concat } kind;
    std::vector<std::string> names; ///< one for Letter and Many; Many may be unnamed
    std::vector<bool> isWhole;
  };
  static llvm::Expected<IndexText> parse(llvm::StringRef text);
  llvm::Expected<IndexTerms> instantiate(AxisArena &arena, Shapes operands, Shapes results) const;

private:
  friend struct Instantiation;
  std::string text_;
  std::vector<std::vector<Dim>> ins_, outs_;
};

/// For the texts of operator rows. A text that does not fit gives fresh axes, all whole, with the error as their
/// reason.
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

struct ReshapeTerms {
  std::vector<AxisId> from, to, whole;
};
/// Common refinement from the left; groups that do not align get fresh axes, which are whole.
ReshapeTerms refineReshape(AxisArena &arena, llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to);

} // namespace autotp
