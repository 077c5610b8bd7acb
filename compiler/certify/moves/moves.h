/// \file Moving elements: which of a value a local tensor holds once it is read under another shape, cut, joined, or
/// set to zero in places. No arithmetic, so no operator of the graph is needed for it.
#pragma once

#include "compiler/certify/contents/contributions.h"

namespace autotp {

class Moves {
public:
  Moves(const GlobalValues &values, IndexLists &lists, Contributions &contributions, ContentStore &store)
      : values_(values), lists_(lists), contributions_(contributions), store_(store) {}

  /// Lists of a view's dimensions, from those of its root. `local`: the local shape.
  std::optional<Lists> inView(const View &view, llvm::ArrayRef<ListId> lists, llvm::ArrayRef<int64_t> local);
  /// And the other way.
  std::optional<Lists> inRoot(const View &view, llvm::ArrayRef<ListId> lists);
  /// The same of a part's spans.
  std::optional<Lists> spansInView(const View &view, llvm::ArrayRef<ListId> spans);

  /// Elements [begin, end) of a content, in memory order. Null where they are no box.
  const Content *range(const Content &content, int64_t begin, int64_t end);
  /// As many of these elements, from the first on, as are a box; null where they are none.
  const Content *firstBox(const Content &content, Interval run);
  /// {axis, start, step, length} of a tensor of this local shape. Null where the result is no box of the root.
  const Content *slice(const Content &content, llvm::ArrayRef<int64_t> shape, size_t axis, Interval taken,
                       int64_t step);
  /// Contents one after the other along `axis` of these local shapes; zeros fill what nobody holds. A null content has
  /// no elements. Null where together they are no box of one value.
  const Content *concat(llvm::ArrayRef<const Content *> contents, llvm::ArrayRef<Sizes> shapes, size_t axis);
  /// Contents one after the other in memory.
  const Content *join(llvm::ArrayRef<const Content *> contents);
  /// where(mask, content, 0). `mask` has the local shape, or 1 in some dimensions.
  const Content *masked(const Content &content, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<char> mask,
                        llvm::ArrayRef<int64_t> maskShape);

  /// What a coordinate holds of dimensions of parameters, with their sizes. It is tried where any part would do: zeros
  /// of the graph that stand beside other segments of a dimension.
  struct Hint {
    int64_t size;
    ListId list;
    bool operator==(const Hint &) const = default;
  };
  void useHints(llvm::ArrayRef<Hint> hints) { hints_ = hints; }
  /// Of `all` indices that are held of a dimension of this size, the `held` that lie in a segment, counted from its
  /// begin.
  std::optional<ListId> hintFor(int64_t size, int64_t all, Interval segment, int64_t held);

  /// Which part of a constant of the graph a constant says that it is, where that is true; `local`: its shape.
  std::optional<Lists> claimedPart(const Content &content, const GlobalOperand &wanted, llvm::ArrayRef<int64_t> local);
  /// Whether a constant is these elements of a constant of the graph.
  bool isPartOf(const Content &content, const GlobalOperand &whole, llvm::ArrayRef<ListId> lists);
  /// The indices of dimension `d` at which the whole constant has what `content` holds, `held` of them in ascending
  /// order; of other dimensions it holds `lists`. Nothing where there are none. Where rows are equal, any will do: what
  /// is claimed of them is true; the parts that are held of parameters come first.
  std::optional<ListId> partAlong(const Content &content, const GlobalOperand &wanted, llvm::ArrayRef<ListId> lists,
                                  size_t d, int64_t held);
  /// As the parts of a sum: what is not pending is one part, whole.
  std::vector<Part> partsOf(const Content &content) const;
  /// The same elements as a segment of the result of a concat of the graph. Null where operand `k` is another value.
  const Content *asSegment(const Content &content, unsigned node, unsigned k);

private:
  bool narrow(Part &part, llvm::ArrayRef<ListId> held, llvm::ArrayRef<ListId> kept);
  const Content *boxOf(const Content &content, llvm::ArrayRef<ListId> positions);
  const Content *rangeOfSlice(const Content &content, int64_t begin, int64_t end);
  const Content *joinOuter(llvm::ArrayRef<const Content *> contents, int64_t outer);
  const Content *joinInViews(llvm::ArrayRef<const Content *> contents, llvm::ArrayRef<Sizes> shapes, size_t axis);
  const Content *merged(llvm::ArrayRef<const Content *> contents, llvm::ArrayRef<ListId> joined);
  const Content *joinNested(llvm::ArrayRef<const Content *> contents);
  const Content *joinNestedConcats(llvm::ArrayRef<const Content *> contents, int64_t outer);
  const Content *joinSameRoot(llvm::ArrayRef<const Content *> contents, int64_t outer);
  const Content *joinInto(unsigned node, llvm::ArrayRef<const Content *> contents, const Content &model, int64_t outer);
  bool isAfter(ListId a, ListId b);
  const Content *asAddend(const Content &segment, unsigned node, unsigned k);
  const Content *constantSegment(const Content &content, unsigned node, unsigned k, const Content &model, int64_t all,
                                 bool isFirst);
  const char *comparedFrom(llvm::ArrayRef<char> bytes, const Tensor &whole, llvm::ArrayRef<ListId> lists, size_t d,
                           int64_t at);
  const Content *joinAsConcat(llvm::ArrayRef<const Content *> contents, int64_t outer);
  const Content *joinAlong(llvm::ArrayRef<const Content *> contents, const Content &model, size_t dim);

  const GlobalValues &values_;
  IndexLists &lists_;
  Contributions &contributions_;
  ContentStore &store_;
  llvm::ArrayRef<Hint> hints_;
  ByteMap<bool> compared_; ///< constants with those of the graph
};

} // namespace autotp
