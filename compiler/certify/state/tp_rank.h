/// \file One tp rank while its program is executed on symbols: what its arena holds, and how a rule reads and writes it.
#pragma once

#include "compiler/certify/contents/arena_map.h"
#include "compiler/certify/moves/constant_parts.h"
#include "compiler/certify/state/tensors.h"

namespace autotp {

struct Proof;

/// What a flat tensor holds on all dp ranks. If it is sliced, each dp rank has the dp_rank-th part of the image, else all.
struct Flat {
  Pieces image = {};
  bool isSliced = false;
};

/// Stands for all dp ranks of a tp rank. Errors of its functions do not say at which step they are.
struct TpRank {
  TpRank(Proof &proof, const plan::Program &program, int64_t number) : proof(proof), program(program), number(number) {}

  /// Returns the bytes of a tensor; nothing if the slices of the dp ranks lie over each other.
  std::optional<ByteRange> rangeOf(const plan::TensorRef &ref) const;

  /// Reads a tensor that is the same on all dp ranks.
  llvm::Expected<Pieces> readPieces(const plan::TensorRef &ref) const;
  /// Reads such a tensor as one content; null if it has no elements.
  llvm::Expected<const Content *> read(const plan::TensorRef &ref) const;
  /// Reads what all dp ranks have of a tensor.
  llvm::Expected<Flat> readFlat(const plan::TensorRef &ref);

  /// Writes the same on all dp ranks. If the tensor is a slice over dp, nothing is known of it afterwards.
  void write(const plan::TensorRef &ref, llvm::ArrayRef<Piece> pieces);
  /// Fills a tensor with this content, or with a new one.
  void write(const plan::TensorRef &ref, const Content *content);
  void writeNew(const plan::TensorRef &ref, decltype(Content::what) what);
  llvm::Error writeFlat(const plan::TensorRef &ref, const Flat &flat);
  /// Has the walk check that the content is still there when the step has ended.
  void keep(const ByteRange &range, const Content *content) { kept.push_back({range, content}); }

  Proof &proof;
  const plan::Program &program;
  const int64_t number;
  std::string section; ///< that is being executed
  ArenaMap arena;

  struct Kept {
    ByteRange range;
    const Content *content;
  };
  std::vector<Kept> kept;

  /// States of buckets that an update has been found to have as its own.
  std::vector<const plan::OptimizerState *> updatedStates;

  /// Where the loss scale and its counts lie, and what they hold; null if nothing is scaled.
  const plan::State *lossScale = nullptr;
  const Content *scaleHeld = nullptr, *countsHeld = nullptr;

  std::vector<int> bucketsInParts; ///< buckets that may hold a gradient in several pieces
  std::vector<Hint> hints;
};

/// Returns what one dp rank has of a flat tensor.
Pieces ofDpRank(const Flat &flat, int64_t rank, int64_t dp);

} // namespace autotp
