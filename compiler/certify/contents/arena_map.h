/// \file What every byte of one coordinate's arena holds. The dp ranks of a coordinate run one program, so one map
/// stands for all of them: where they differ, bytes are known on the dp rank in whose slice they lie.
#pragma once

#include "compiler/certify/contents/contents.h"

#include <map>

namespace autotp {

/// Bytes [offset, offset + bytes) of the arena, further on by `stride` on each next dp rank of `ranks`.
struct ByteRange {
  uint64_t offset = 0, bytes = 0;
  int64_t ranks = 1; ///< 1: the same on every rank
  uint64_t stride = 0;
  bool isSliced() const { return ranks > 1; }
  uint64_t offsetOn(int64_t rank) const { return offset + uint64_t(rank) * stride; }
  uint64_t allBytes() const { return bytes * uint64_t(ranks); }
  /// Whether each rank's bytes lie within those of `other`.
  bool isWithin(const ByteRange &other) const {
    return ranks == other.ranks && stride == other.stride && offset >= other.offset &&
           offset + bytes <= other.offset + other.bytes;
  }
};

class ArenaMap {
public:
  /// The contents of a range, in order, one rank's after the other's. Fails where a byte holds nothing, or nothing on the rank that reads it.
  bool read(const ByteRange &range, std::vector<Piece> &pieces, std::string &why) const;
  /// `pieces` fill the range, one rank's after the other's. What a sliced write leaves on other ranks is forgotten.
  void write(const ByteRange &range, llvm::ArrayRef<Piece> pieces);
  /// Nobody knows what these bytes hold.
  void forget(uint64_t offset, uint64_t bytes);

private:
  bool readOn(int64_t rank, const ByteRange &range, std::vector<Piece> &pieces, std::string &why) const;
  struct Held {
    uint64_t end;
    const Content *content;
    uint64_t from;    ///< byte of the content
    ByteRange slices; ///< of what the bytes are known on one rank only; ranks 1: on all
  };
  void cut(uint64_t at);

  std::map<uint64_t, Held> held_; ///< by first byte
};

} // namespace autotp
