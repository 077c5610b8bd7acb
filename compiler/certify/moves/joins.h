/// \file Contents side by side, as one value. All functions return null if they are no part of one.
#pragma once

#include "compiler/certify/values/ids.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>

namespace autotp {

class ConstantParts;
class IndexLists;
struct Content;
struct Elements;
struct GlobalNode;
struct Piece;
struct Summands;
struct Symbols;
struct View;

class Joins {
public:
  Joins(Symbols &symbols, ConstantParts &constants);

  /// Joins contents along `axis` of these local shapes; zeros fill what nobody holds. A null content has no elements.
  const Content *concat(llvm::ArrayRef<const Content *> contents, llvm::ArrayRef<Sizes> shapes, size_t axis);
  /// Joins contents that lie one after the other in memory.
  const Content *join(llvm::ArrayRef<const Content *> contents);
  /// Joins pieces that lie one after the other in memory.
  const Content *together(llvm::ArrayRef<Piece> pieces);

private:
  using Parts = llvm::ArrayRef<const Content *>;

  // Joins parts of one value (joins.cpp). `outer` is the number of times that they take turns in memory.
  const Content *joinOuter(Parts contents, int64_t outer);
  const Content *joinSameRoot(Parts contents, int64_t outer);
  const Content *joinAlong(Parts contents, const Content &model, size_t dim);
  const Content *joinZeros(Parts contents);
  const Content *joinNested(Parts contents);
  llvm::SmallVector<const Content *, 8> runsAlong(Parts contents, size_t dim);
  bool continuesRun(const Elements &run, const Elements &next, size_t dim) const;

  // Joins along a dimension of a view that is only a factor of one of the root (joins_in_views.cpp).
  const Content *joinInViews(Parts contents, llvm::ArrayRef<Sizes> shapes, size_t axis);
  std::optional<Lists> joinedInView(const View &view, Parts contents, llvm::ArrayRef<Sizes> shapes, size_t axis);
  const Content *merged(Parts contents, llvm::ArrayRef<ListId> joined);

  // Joins segments of a concat of the graph (joins_of_segments.cpp).
  struct Segments {
    llvm::SmallVector<const Content *, 4> contents;
    llvm::SmallVector<unsigned, 4> operands; ///< whose segments they are
  };
  /// A concat of the graph that contents may be segments of.
  struct Target {
    unsigned node;
    const Content &model; ///< one of its segments
    int64_t all;          ///< elements that all contents together have in the joined dimension
  };
  const Content *joinAsConcat(Parts contents, int64_t outer);
  const Content *joinNestedConcats(Parts contents, int64_t outer);
  const Content *joinInto(unsigned node, Parts contents, const Content &model, int64_t outer);
  const Content *nextSegment(const Target &target, const Content &content, const Segments &before, unsigned &operand);
  bool isAfter(ListId a, ListId b);
  std::optional<Lists> lifted(const GlobalNode &node, unsigned operand, const std::optional<Lists> &lists);
  std::optional<Summands> liftedSummands(unsigned node, unsigned operand, const View &view, const Summands &summands);
  const Content *asSegment(const Content &content, unsigned node, unsigned operand);
  const Content *constantSegment(const Target &target, const Content &content, unsigned operand, bool isFirst);
  const Content *asAddend(const Content &segment, unsigned node, unsigned operand);

  Symbols &symbols_;
  IndexLists &lists_;
  ConstantParts &constants_;
};

} // namespace autotp
