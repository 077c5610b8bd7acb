/// \file What every byte of one coordinate's arena holds. The dp ranks of a coordinate run one program, so one map
/// stands for all of them: where they differ, bytes are known on the dp rank in whose slice they lie.
#pragma once

#include "compiler/certify/contents.h"

#include <map>

namespace autotp {

/// Bytes [offset, offset + bytes) of the arena; on each dp rank r of `ranks` only the r-th of equal slices of it.
struct ByteRange {
  uint64_t offset = 0, bytes = 0;
  int64_t ranks = 1; ///< 1: all of it on every rank
  bool isSliced() const { return ranks > 1; }
};

class ArenaMap {
public:
  /// The contents of a range, in order. Fails where a byte holds nothing, or nothing on the rank that reads it.
  bool read(const ByteRange &range, std::vector<Piece> &pieces, std::string &why) const;
  /// `pieces` fill the range. What a sliced write leaves on other ranks is forgotten.
  void write(const ByteRange &range, llvm::ArrayRef<Piece> pieces);
  /// Nobody knows what these bytes hold.
  void forget(uint64_t offset, uint64_t bytes);

private:
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
