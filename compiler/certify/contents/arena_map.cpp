#include "compiler/certify/contents/arena_map.h"

#include "compiler/certify/refusal.h"

namespace autotp {

llvm::Expected<Pieces> ArenaMap::read(const ByteRange &range) const {
  Pieces pieces;
  for (int64_t rank = 0; rank < range.ranks; ++rank)
    if (llvm::Error error = readOn(rank, range, pieces)) return error;
  return pieces;
}

llvm::Error ArenaMap::readOn(int64_t rank, const ByteRange &range, Pieces &pieces) const {
  const uint64_t begin = range.offsetOn(rank), end = begin + range.bytes;
  auto at = held_.upper_bound(begin);
  if (at != held_.begin() && std::prev(at)->second.end > begin) --at;
  uint64_t byte = begin;
  for (; byte < end; ++at) {
    if (at == held_.end() || at->first > byte)
      return refuse("bytes from " + llvm::Twine(byte) + " hold nothing that was written for it");
    const Held &held = at->second;
    if (held.slices.isSliced() && !range.isWithin(held.slices))
      return refuse("bytes from " + llvm::Twine(byte) + " are right on one dp rank only");
    const uint64_t next = std::min(end, held.end);
    append(pieces, {held.content, held.from + (byte - at->first), next - byte});
    byte = next;
  }
  return llvm::Error::success();
}

void ArenaMap::cut(uint64_t at) {
  auto next = held_.upper_bound(at);
  if (next == held_.begin()) return;
  auto here = std::prev(next);
  if (here->first == at || here->second.end <= at) return;
  Held tail = here->second;
  tail.from += at - here->first;
  here->second.end = at;
  held_.emplace_hint(next, at, tail);
}

void ArenaMap::forget(uint64_t offset, uint64_t bytes) {
  if (bytes == 0) return;
  cut(offset);
  cut(offset + bytes);
  held_.erase(held_.lower_bound(offset), held_.lower_bound(offset + bytes));
}

void ArenaMap::write(const ByteRange &range, llvm::ArrayRef<Piece> pieces) {
  for (int64_t rank = 0; rank < range.ranks; ++rank)
    forget(range.offsetOn(rank), range.bytes);
  int64_t rank = 0;
  uint64_t at = range.offset, left = range.bytes;
  for (const Piece &piece : pieces)
    for (uint64_t done = 0; done < piece.bytes;) {
      if (left == 0) {
        at = range.offsetOn(++rank);
        left = range.bytes;
      }
      const uint64_t bytes = std::min(left, piece.bytes - done);
      held_[at] = {at + bytes, piece.content, piece.offset + done, range.isSliced() ? range : ByteRange{}};
      at += bytes;
      left -= bytes;
      done += bytes;
    }
}

} // namespace autotp
