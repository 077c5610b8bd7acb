/// \file What every byte of one tp rank's arena holds. The dp ranks of a tp rank run one program, so one map stands for
/// all of them: if they differ, bytes are known on the dp rank in whose slice they lie.
#pragma once

#include "compiler/certify/contents/contents.h"

#include "llvm/Support/Error.h"

#include <map>

namespace autotp {

/// Bytes [offset, offset + bytes) of the arena, which begin further on by `stride` on each next dp rank of `ranks`.
struct ByteRange {
  uint64_t offset = 0, bytes = 0;
  int64_t ranks = 1; ///< 1 says that the bytes are the same on every rank
  uint64_t stride = 0;
  bool isSliced() const { return ranks > 1; }
  uint64_t offsetOn(int64_t rank) const { return offset + uint64_t(rank) * stride; }
  uint64_t allBytes() const { return bytes * uint64_t(ranks); }
  /// Says whether each rank's bytes lie within those of `other`.
  bool isWithin(const ByteRange &other) const {
    return ranks == other.ranks && stride == other.stride && offset >= other.offset &&
           offset + bytes <= other.offset + other.bytes;
  }
};

class ArenaMap {
public:
  /// Returns what a range holds, in order, one rank's after the other's. It is an error if a byte holds nothing, or nothing
  /// on the rank that reads it.
  llvm::Expected<Pieces> read(const ByteRange &range) const;
  /// Fills a range with pieces, one rank's after the other's. What a sliced write leaves on other ranks is forgotten.
  void write(const ByteRange &range, llvm::ArrayRef<Piece> pieces);
  /// Forgets what these bytes hold.
  void forget(uint64_t offset, uint64_t bytes);

private:
  struct Held {
    uint64_t end;
    const Content *content;
    uint64_t from;    ///< byte of the content
    ByteRange slices; ///< if there are several, a byte is known only on the rank in whose slice it lies
  };
  llvm::Error readOn(int64_t rank, const ByteRange &range, Pieces &pieces) const;
  void cut(uint64_t at);

  std::map<uint64_t, Held> held_; ///< by first byte
};

} // namespace autotp
