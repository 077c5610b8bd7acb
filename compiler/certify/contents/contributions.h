/// \file Partial sums: which summands each tp rank has, and whether several tp ranks together have each exactly once.
#pragma once

#include "compiler/certify/contents/contents.h"
#include "compiler/certify/values/byte_key.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// A span that leaves nothing out.
constexpr ListId kWholeSpan = ~0u;
/// The path of a box that has all summands there are, whatever they are.
constexpr PathId kWholePath = 0;

/// Makes one box of all summands of these elements.
Summands wholeSummands(llvm::ArrayRef<ListId> elements);
/// Returns the boxes of a value's summands: one of all, if it is not Partial.
std::vector<Summands> summandsOf(const Elements &elements);

/// A path is a stack of links, each an operator and the operand through which the sum came. Of (a b) + c the product's
/// summands have the path {matmul, kContraction} {add, 0}, and those of c, which is whole, {add, 1}. A reduction over ranks
/// is complete if, at each operator that adds, each operand is there, and if the boxes below tile their spans.
class Contributions {
public:
  static constexpr unsigned kContraction = ~0u;

  Contributions(const GlobalValues &values, IndexLists &lists) : values_(values), lists_(lists), links_(1) {}

  /// Returns the path that goes on through this operand of this node of the graph.
  PathId extended(PathId path, unsigned node, unsigned operand);

  /// Fails unless these boxes have all summands of each of `elements` exactly once; of a maximum, at least once.
  llvm::Error checkComplete(llvm::ArrayRef<Summands> summands, llvm::ArrayRef<ListId> elements, Partial kind);

  /// Fails unless no two boxes overlap, and together they are the domain. Those of a maximum may overlap.
  llvm::Error checkTiling(std::vector<Lists> boxes, llvm::ArrayRef<ListId> domain, Partial kind);

private:
  struct Link {
    PathId before = 0;
    unsigned node = 0, operand = 0;
  };
  /// A box, and what is left of its path.
  using Open = std::pair<PathId, const Summands *>;
  using Wholes = std::vector<const Summands *>;

  /// `wholes` are boxes whose path has ended: they have all summands that are below.
  llvm::Error checkBelow(llvm::ArrayRef<Open> open, Wholes wholes, llvm::ArrayRef<ListId> elements, Partial kind);
  llvm::Expected<std::vector<std::vector<Open>>> byOperand(llvm::ArrayRef<Open> open) const;
  llvm::Error checkWholes(llvm::ArrayRef<const Summands *> wholes, llvm::ArrayRef<ListId> elements, Partial kind);
  llvm::Error clip(std::vector<Lists> &boxes, llvm::ArrayRef<ListId> domain);
  ListId united(llvm::ArrayRef<Lists> boxes, size_t dim);

  const GlobalValues &values_;
  IndexLists &lists_;
  std::vector<Link> links_; ///< by PathId
  ByteMap<PathId> known_;
};

} // namespace autotp
