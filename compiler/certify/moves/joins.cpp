#include "compiler/certify/moves/joins.h"

#include "compiler/certify/contents/symbols.h"
#include "compiler/certify/moves/cuts.h"
#include "runtime/base/indexed.h"

namespace autotp {

Joins::Joins(Symbols &symbols, ConstantParts &constants)
    : symbols_(symbols), lists_(symbols.lists), constants_(constants) {}

const Content *Joins::concat(Parts contents, llvm::ArrayRef<Sizes> shapes, size_t axis) {
  llvm::SmallVector<const Content *, 4> held;
  int64_t outer = 1;
  for (auto [k, content] : indexed(contents)) {
    if (!content) continue;
    held.push_back(content);
    outer = elementsOf(llvm::ArrayRef<int64_t>(shapes[k]).take_front(axis));
  }
  if (const Content *joined = joinOuter(held, outer)) return joined;
  if (const Content *joined = joinNestedConcats(held, outer)) return joined;
  return held.size() == contents.size() ? joinInViews(held, shapes, axis) : nullptr;
}

const Content *Joins::join(Parts contents) {
  if (const Content *joined = joinOuter(contents, 1)) return joined;
  if (const Content *joined = joinNested(contents)) return joined;
  return joinNestedConcats(contents, 1);
}

const Content *Joins::together(llvm::ArrayRef<Piece> pieces) {
  llvm::SmallVector<const Content *> parts;
  for (const Piece &piece : pieces)
    for (Piece left = piece; left.bytes;) {
      parts.push_back(boxAt(symbols_, left));
      if (!parts.back()) return nullptr;
      left = {left.content, left.offset + parts.back()->bytes, left.bytes - parts.back()->bytes};
    }
  return parts.size() == 1 ? parts[0] : join(parts);
}

/// Constants may be operands of a concat of the graph; if they are not, zeros are nobody's part of a sum.
const Content *Joins::joinOuter(Parts contents, int64_t outer) {
  const bool hasConstant = llvm::any_of(contents, [](const Content *content) { return content->as<Constant>(); });
  const Content *joined = hasConstant ? joinAsConcat(contents, outer) : joinSameRoot(contents, outer);
  if (joined) return joined;
  return hasConstant ? joinSameRoot(contents, outer) : joinAsConcat(contents, outer);
}

/// Joins runs along an inner dimension first, then these along outer ones.
const Content *Joins::joinNested(Parts contents) {
  const auto *first = contents.empty() ? nullptr : contents[0]->as<Elements>();
  if (!first || !llvm::all_of(contents, [&](const Content *content) {
        return content->as<Elements>() && content->as<Elements>()->root == first->root;
      }))
    return nullptr;
  llvm::SmallVector<const Content *, 8> left(contents.begin(), contents.end());
  for (size_t dim = first->lists.size(); dim-- > 1 && left.size() > 1;) {
    left = runsAlong(left, dim);
    if (left.empty()) return nullptr;
  }
  return left.size() == 1 ? left[0] : joinSameRoot(left, 1);
}

/// Makes one content each of neighbours that differ in this dimension alone; returns none if that is impossible.
llvm::SmallVector<const Content *, 8> Joins::runsAlong(Parts contents, size_t dim) {
  llvm::SmallVector<const Content *, 8> joined;
  for (size_t begin = 0, end = 0; begin < contents.size(); begin = end) {
    const Elements &run = *contents[begin]->as<Elements>();
    for (end = begin + 1; end < contents.size() && continuesRun(run, *contents[end]->as<Elements>(), dim);)
      ++end;
    const Parts own = contents.slice(begin, end - begin);
    joined.push_back(own.size() == 1 ? own[0] : joinSameRoot(own, 1));
    if (!joined.back()) return {};
  }
  return joined;
}

bool Joins::continuesRun(const Elements &run, const Elements &next, size_t dim) const {
  for (size_t other = 0; other < next.lists.size(); ++other)
    if (other != dim && next.lists[other] != run.lists[other]) return false;
  return lists_.elements(llvm::ArrayRef<ListId>(next.lists).take_front(dim)) == 1;
}

const Content *Joins::joinZeros(Parts contents) {
  uint64_t bytes = 0;
  for (const Content *content : contents)
    bytes += content->bytes;
  Constant zeros = *contents[0]->as<Constant>();
  zeros.data = {};
  return symbols_.store.add({contents[0]->dtype, bytes, std::move(zeros)});
}

const Content *Joins::joinSameRoot(Parts contents, int64_t outer) {
  if (contents.empty()) return nullptr;
  const Content *model = nullptr;
  for (const Content *content : contents) {
    if (content->isZero()) continue;
    const auto *elements = content->as<Elements>();
    if (!elements || elements->partial == Partial::Max) return nullptr;
    if (!model) model = content;
    const Elements &first = *model->as<Elements>();
    if (first.root != elements->root || first.summedOver != elements->summedOver ||
        first.isUpdated != elements->isUpdated)
      return nullptr;
  }
  if (!model) return joinZeros(contents);
  int64_t before = 1;
  const Lists &lists = model->as<Elements>()->lists;
  for (size_t d = 0; d < lists.size() && before <= outer; ++d) {
    if (before == outer)
      if (const Content *joined = joinAlong(contents, *model, d)) return joined;
    before *= lists_.length(lists[d]);
  }
  return nullptr;
}

namespace {

/// Gathers the elements that contents have along one dimension of a root, all other lists being the same.
struct Row {
  IndexLists &lists;
  const Elements &model;
  size_t dim;
  uint64_t others; ///< bytes of one index of the dimension
  int64_t length = 0;
  bool hasZeros = false, isPlaced = true, isPartial = false; ///< placed: each element at the position that is its index
  std::optional<ListId> joined = lists.whole(0);
  std::vector<Summands> summands = {};

  bool takeZeros(uint64_t bytes) {
    if (others == 0 || bytes % others) return false;
    length += int64_t(bytes / others);
    return hasZeros = true;
  }
  bool take(const Elements &elements) {
    for (size_t d = 0; d < model.lists.size(); ++d)
      if (d != dim && elements.lists[d] != model.lists[d]) return false;
    const ListId own = elements.lists[dim];
    isPlaced &= own == lists.of({Interval{length, length + lists.length(own)}});
    if (joined) joined = lists.joined(*joined, own);
    length += lists.length(own);
    isPartial |= elements.isPartial();
    llvm::append_range(summands, summandsOf(elements));
    return true;
  }
};

} // namespace

const Content *Joins::joinAlong(Parts contents, const Content &model, size_t dim) {
  const Elements &own = *model.as<Elements>();
  Row row{lists_, own, dim, model.bytes / uint64_t(std::max<int64_t>(1, lists_.length(own.lists[dim])))};
  for (const Content *content : contents)
    if (!(content->isZero() ? row.takeZeros(content->bytes) : row.take(*content->as<Elements>()))) return nullptr;
  if (row.hasZeros) {
    const int64_t size = symbols_.values.root(own.root).type.shape[dim];
    if (!row.isPlaced || row.length != size) return nullptr;
    row.joined = lists_.whole(size);
  }
  if (!row.joined) return nullptr;
  Elements all = own;
  all.lists[dim] = *row.joined;
  all.partial = row.isPartial || row.hasZeros ? Partial::Sum : Partial::None;
  all.summands = all.isPartial() ? std::move(row.summands) : std::vector<Summands>();
  return symbols_.store.add({model.dtype, uint64_t(row.length) * row.others, std::move(all)});
}

} // namespace autotp
