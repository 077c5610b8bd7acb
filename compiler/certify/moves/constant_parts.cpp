#include "compiler/certify/moves/constant_parts.h"

#include "compiler/certify/contents/symbols.h"
#include "runtime/base/indexed.h"

#include <cstring>

namespace autotp {

ConstantParts::ConstantParts(Symbols &symbols) : lists_(symbols.lists) {}

std::optional<ListId> ConstantParts::hintFor(int64_t size, int64_t all, const Interval &segment, int64_t held) {
  for (const Hint &hint : hints_) {
    if (hint.size % size || lists_.length(hint.list) != hint.size / size * all) continue;
    auto parts = lists_.split(hint.list, hint.size / size);
    if (!parts || !lists_.isWhole(parts->second, hint.size / size)) continue;
    const ListId own = lists_.within(parts->first, segment.begin, segment.end);
    if (lists_.length(own) == held) return own;
  }
  return std::nullopt;
}

std::optional<Lists> ConstantParts::claimedPart(const Constant &constant, const GlobalOperand &wanted,
                                                llvm::ArrayRef<int64_t> local) {
  if (constant.claimed.size() != wanted.type.shape.size() ||
      lists_.lengths(constant.claimed) != Sizes(local.begin(), local.end()))
    return std::nullopt;
  for (auto [d, list] : indexed(constant.claimed))
    if (!lists_.contains(lists_.whole(wanted.type.shape[d]), list)) return std::nullopt;
  return isPartOf(constant, wanted, constant.claimed) ? std::optional(constant.claimed) : std::nullopt;
}

bool ConstantParts::isPartOf(const Constant &constant, const GlobalOperand &whole, llvm::ArrayRef<ListId> lists) {
  if (constant.summedOver != SummedOver()) return false;
  if (whole.kind == GlobalOperand::Kind::Fill) return constant.isFill() && constant.fill == whole.fill;
  if (whole.kind != GlobalOperand::Kind::Constant || constant.isFill() ||
      llvm::any_of(lists, [&](ListId list) { return lists_.isFree(list); }))
    return false;
  std::optional<Lists> folded; // the graph reads it under another shape
  if (whole.type.shape != whole.constant->type.shape) {
    folded = lists_.refold(whole.type.shape, lists, whole.constant->type.shape, {});
    if (!folded) return false;
    lists = *folded;
  }
  ByteKey key;
  key.add(constant.data.data()).add(constant.data.size()).add(whole.constant->bytes.data()).addList(lists);
  auto [at, isNew] = compared_.try_emplace(std::move(key), false);
  if (isNew) at->second = comparedFrom(constant.data, *whole.constant, lists, 0, 0) == constant.data.end();
  return at->second;
}

/// Compares the elements `lists` of `whole` from dimension `dim` on; returns where `bytes` goes on, or null.
const char *ConstantParts::comparedFrom(llvm::ArrayRef<char> bytes, const Tensor &whole, llvm::ArrayRef<ListId> lists,
                                        size_t dim, int64_t at) {
  const size_t size = sizeOf(whole.type.dtype);
  const char *const wanted = reinterpret_cast<const char *>(whole.bytes.data());
  auto isSame = [&](const char *next, int64_t element, size_t n) {
    return size_t(bytes.end() - next) >= n && !std::memcmp(next, wanted + size_t(element) * size, n);
  };
  if (dim == lists.size()) return isSame(bytes.data(), at, size) ? bytes.data() + size : nullptr;
  const char *next = bytes.data();
  const int64_t inner = elementsOf(llvm::ArrayRef<int64_t>(whole.type.shape).drop_front(dim + 1));
  bool isInnerWhole = true;
  for (size_t e = dim + 1; e < lists.size(); ++e)
    isInnerWhole &= lists_.isWhole(lists[e], whole.type.shape[e]);
  for (const Interval &own : lists_.intervals(lists[dim])) {
    const size_t n = size_t((own.end - own.begin) * inner) * size;
    if (isInnerWhole && !isSame(next, at + own.begin * inner, n)) return nullptr;
    if (isInnerWhole) next += n;
    for (int64_t i = own.begin; i < own.end && !isInnerWhole; ++i)
      if (!(next = comparedFrom({next, bytes.end()}, whole, lists, dim + 1, at + i * inner))) return nullptr;
  }
  return next;
}

std::optional<ListId> ConstantParts::hintedPart(const Constant &constant, const GlobalOperand &wanted,
                                                const OpenPart &part) {
  for (const Hint &hint : hints_) {
    if (hint.size != wanted.constant->type.shape[part.open] || lists_.length(hint.list) != part.length) continue;
    Lists likely(part.held.begin(), part.held.end());
    likely[part.open] = hint.list;
    if (isPartOf(constant, wanted, likely)) return hint.list;
  }
  return std::nullopt;
}

namespace {

/// Returns the indices of a list, one after the other.
llvm::SmallVector<int64_t, 0> indicesOf(const IndexLists &lists, ListId list) {
  llvm::SmallVector<int64_t, 0> indices;
  for (const Interval &interval : lists.intervals(list))
    for (int64_t i = interval.begin; i < interval.end; ++i)
      indices.push_back(i);
  return indices;
}

/// Compares the elements at one index of the open dimension with those at an index of the whole.
struct RowComparison {
  const Constant &constant;
  const Tensor &whole;
  const OpenPart &part;
  std::vector<llvm::SmallVector<int64_t, 0>> taken; ///< by dimension, of the open one nothing

  /// Compares from dimension `dim` on; `local` and `global` are the elements so far.
  bool isEqual(size_t dim, int64_t local, int64_t global, int64_t here, int64_t there) const {
    const size_t size = sizeOf(whole.type.dtype);
    if (dim == taken.size())
      return !std::memcmp(constant.data.data() + size_t(local) * size, whole.bytes.data() + size_t(global) * size,
                          size);
    const int64_t wide = whole.type.shape[dim];
    if (dim == part.open) return isEqual(dim + 1, local * part.length + here, global * wide + there, here, there);
    for (auto [i, index] : indexed(taken[dim]))
      if (!isEqual(dim + 1, local * int64_t(taken[dim].size()) + int64_t(i), global * wide + index, here, there))
        return false;
    return true;
  }
};

} // namespace

std::optional<ListId> ConstantParts::partAlong(const Constant &constant, const GlobalOperand &wanted,
                                               const OpenPart &part) {
  const Tensor &whole = *wanted.constant;
  if (wanted.type.shape != whole.type.shape) return std::nullopt;
  if (std::optional<ListId> hinted = hintedPart(constant, wanted, part)) return hinted;
  RowComparison rows{constant, whole, part, {}};
  int64_t elements = part.length;
  for (auto [d, list] : indexed(part.held)) {
    rows.taken.push_back(d == part.open ? llvm::SmallVector<int64_t, 0>() : indicesOf(lists_, list));
    if (d != part.open) elements *= int64_t(rows.taken.back().size());
  }
  if (constant.data.size() != size_t(elements) * sizeOf(whole.type.dtype) || elements == 0) return std::nullopt;
  llvm::SmallVector<Interval, 4> found;
  int64_t there = 0;
  for (int64_t here = 0; here < part.length; ++here, ++there) {
    while (there < whole.type.shape[part.open] && !rows.isEqual(0, 0, 0, here, there))
      ++there;
    if (there == whole.type.shape[part.open]) return std::nullopt;
    found.push_back({there, there + 1});
  }
  return lists_.of(found);
}

} // namespace autotp
