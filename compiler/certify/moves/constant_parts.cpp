#include "compiler/certify/moves/moves.h"

#include "runtime/base/indexed.h"

#include <cstring>

namespace autotp {

std::optional<Lists> Moves::claimedPart(const Content &content, const GlobalOperand &wanted,
                                        llvm::ArrayRef<int64_t> local) {
  if (content.claimed.size() != wanted.type.shape.size() ||
      lists_.lengths(content.claimed) != Sizes(local.begin(), local.end()))
    return std::nullopt;
  for (auto [d, list] : indexed(content.claimed))
    if (!lists_.contains(lists_.whole(wanted.type.shape[d]), list)) return std::nullopt;
  return isPartOf(content, wanted, content.claimed) ? std::optional(content.claimed) : std::nullopt;
}

bool Moves::isPartOf(const Content &content, const GlobalOperand &whole, llvm::ArrayRef<ListId> lists) {
  if (content.kind != Content::Kind::Constant || content.isAccumulated || content.isSummedOverDp) return false;
  if (whole.kind == GlobalOperand::Kind::Fill) return content.data.empty() && content.fill == whole.fill;
  if (whole.kind != GlobalOperand::Kind::Constant || content.data.empty() ||
      llvm::any_of(lists, [&](ListId list) { return lists_.isFree(list); }))
    return false;
  std::optional<Lists> folded; // the graph reads it under another shape
  if (whole.type.shape != whole.constant->type.shape) {
    folded = lists_.refold(whole.type.shape, lists, whole.constant->type.shape, {});
    if (!folded) return false;
    lists = *folded;
  }
  ByteKey key;
  key.add(content.data.data()).add(content.data.size()).add(whole.constant->bytes.data()).addList(lists);
  auto [at, isNew] = compared_.try_emplace(std::move(key), false);
  if (isNew) at->second = comparedFrom(content.data, *whole.constant, lists, 0, 0) == content.data.end();
  return at->second;
}

/// Compares the elements `lists` of `whole` from dimension `d` on; returns where `bytes` goes on, or null.
const char *Moves::comparedFrom(llvm::ArrayRef<char> bytes, const Tensor &whole, llvm::ArrayRef<ListId> lists, size_t d,
                                int64_t at) {
  const size_t size = sizeOf(whole.type.dtype);
  const char *const wanted = reinterpret_cast<const char *>(whole.bytes.data());
  if (d == lists.size())
    return bytes.size() >= size && !std::memcmp(bytes.data(), wanted + at * int64_t(size), size) ? bytes.data() + size
                                                                                                 : nullptr;
  const char *const end = bytes.data() + bytes.size(), *next = bytes.data();
  const int64_t inner = elementsOf(llvm::ArrayRef<int64_t>(whole.type.shape).drop_front(d + 1));
  bool isInnerWhole = true;
  for (size_t e = d + 1; e < lists.size(); ++e)
    isInnerWhole &= lists_.isWhole(lists[e], whole.type.shape[e]);
  for (const Interval &own : lists_.intervals(lists[d])) {
    if (isInnerWhole) {
      const size_t n = size_t((own.end - own.begin) * inner) * size;
      if (size_t(end - next) < n || std::memcmp(next, wanted + size_t(at + own.begin * inner) * size, n))
        return nullptr;
      next += n;
      continue;
    }
    for (int64_t i = own.begin; i < own.end; ++i)
      if (!(next = comparedFrom({next, end}, whole, lists, d + 1, at + i * inner))) return nullptr;
  }
  return next;
}

/// Where the elements of a list stand, one after the other.
static llvm::SmallVector<int64_t, 0> indicesOf(const IndexLists &lists, ListId list) {
  llvm::SmallVector<int64_t, 0> indices;
  for (const Interval &interval : lists.intervals(list))
    for (int64_t i = interval.begin; i < interval.end; ++i)
      indices.push_back(i);
  return indices;
}

std::optional<ListId> Moves::partAlong(const Content &content, const GlobalOperand &wanted,
                                       llvm::ArrayRef<ListId> lists, size_t d, int64_t held) {
  const Tensor &whole = *wanted.constant;
  if (wanted.type.shape != whole.type.shape) return std::nullopt;
  for (const Hint &hint : hints_) {
    if (hint.size != whole.type.shape[d] || lists_.length(hint.list) != held) continue;
    Lists likely(lists.begin(), lists.end());
    likely[d] = hint.list;
    if (isPartOf(content, wanted, likely)) return hint.list;
  }
  const size_t size = sizeOf(whole.type.dtype);
  llvm::SmallVector<llvm::SmallVector<int64_t, 0>, 4> taken; // by dimension
  int64_t elements = held;
  for (auto [e, list] : indexed(lists)) {
    taken.push_back(e == d ? llvm::SmallVector<int64_t, 0>() : indicesOf(lists_, list));
    if (e != d) elements *= int64_t(taken.back().size());
  }
  if (content.data.size() != size_t(elements) * size || elements == 0) return std::nullopt;
  const char *const all = reinterpret_cast<const char *>(whole.bytes.data());
  // Whether the elements at index `here` of dimension d are those of the whole at index `there`.
  auto isEqual = [&](auto &self, size_t e, int64_t local, int64_t global, int64_t here, int64_t there) -> bool {
    if (e == lists.size())
      return !std::memcmp(content.data.data() + size_t(local) * size, all + size_t(global) * size, size);
    const int64_t wide = whole.type.shape[e];
    if (e == d) return self(self, e + 1, local * held + here, global * wide + there, here, there);
    for (auto [i, index] : indexed(taken[e]))
      if (!self(self, e + 1, local * int64_t(taken[e].size()) + int64_t(i), global * wide + index, here, there))
        return false;
    return true;
  };
  llvm::SmallVector<Interval, 4> found;
  int64_t there = 0;
  for (int64_t here = 0; here < held; ++here, ++there) {
    while (there < whole.type.shape[d] && !isEqual(isEqual, 0, 0, 0, here, there))
      ++there;
    if (there == whole.type.shape[d]) return std::nullopt;
    found.push_back({there, there + 1});
  }
  return lists_.of(found);
}

} // namespace autotp
