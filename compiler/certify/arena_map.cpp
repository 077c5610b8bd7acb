#include "compiler/certify/arena_map.h"

namespace autotp {

bool ArenaMap::read(const ByteRange &range, std::vector<Piece> &pieces, std::string &why) const {
  const uint64_t end = range.offset + range.bytes;
  auto at = held_.upper_bound(range.offset);
  if (at != held_.begin() && std::prev(at)->second.end > range.offset) --at;
  uint64_t byte = range.offset;
  for (; byte < end; ++at) {
    if (at == held_.end() || at->first > byte) {
      why = "bytes from " + std::to_string(byte) + " hold nothing that was written for it";
      return false;
    }
    const Held &held = at->second;
    if (held.slices.isSliced() &&
        (held.slices.offset != range.offset || held.slices.bytes != range.bytes || held.slices.ranks != range.ranks)) {
      why = "bytes from " + std::to_string(byte) + " are right on one dp rank only";
      return false;
    }
    const uint64_t next = std::min(end, held.end), from = held.from + (byte - at->first);
    const bool follows =
        !pieces.empty() && pieces.back().content == held.content && pieces.back().offset + pieces.back().bytes == from;
    if (follows)
      pieces.back().bytes += next - byte;
    else
      pieces.push_back({held.content, from, next - byte});
    byte = next;
  }
  return true;
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
  forget(range.offset, range.bytes);
  uint64_t at = range.offset;
  for (const Piece &piece : pieces) {
    if (piece.bytes == 0) continue;
    held_[at] = {at + piece.bytes, piece.content, piece.offset, range.isSliced() ? range : ByteRange{}};
    at += piece.bytes;
  }
}

} // namespace autotp
