/// \file One tp rank while its program is executed on symbols: what its arena holds, and how a rule reads and writes it.
#pragma once

#include "compiler/certify/contents/arena_map.h"
#include "compiler/certify/moves/constant_parts.h"
#include "compiler/certify/state/tensors.h"

namespace autotp {

struct Proof;

/// A flat operand: an image; of it, if it is sliced, each dp rank has the dp_rank-th part.
struct Flat {
  Pieces image = {};
  bool isSliced = false;
};

/// Stands for all dp ranks of a tp rank. Errors of its functions do not say at which step they are.
struct TpRank {
  TpRank(Proof &proof, const plan::Program &program, int64_t number) : proof(proof), program(program), number(number) {}

  /// The bytes of a tensor; nothing if the slices of the dp ranks lie over each other.
  std::optional<ByteRange> rangeOf(const plan::TensorRef &ref) const;

  /// What a tensor holds that is the same on all dp ranks.
  llvm::Expected<Pieces> readPieces(const plan::TensorRef &ref) const;
  /// The same as a part of one value, or as one thing that is no value; null if it has no elements.
  llvm::Expected<const Content *> read(const plan::TensorRef &ref) const;
  /// What all dp ranks have of a tensor.
  llvm::Expected<Flat> readFlat(const plan::TensorRef &ref);

  /// Of what is no bucket's each dp rank has the same: a slice is not known afterwards.
  void write(const plan::TensorRef &ref, llvm::ArrayRef<Piece> pieces);
  /// All of a tensor is this content.
  void write(const plan::TensorRef &ref, const Content *content);
  void writeNew(const plan::TensorRef &ref, decltype(Content::what) what);
  llvm::Error writeFlat(const plan::TensorRef &ref, const Flat &flat);
  /// The content must still be there when the step has ended.
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

  /// A state of the updates; an update that has it says what it begins with.
  struct UpdateState {
    const plan::State *state;
    bool isFound; ///< by its update
  };
  std::vector<UpdateState> updateStates;

  /// Where the loss scale and its counts lie, and what they hold; null if nothing is scaled.
  const plan::State *lossScale = nullptr;
  const Content *scaleHeld = nullptr, *countsHeld = nullptr;

  std::vector<int> bucketsInParts; ///< buckets that may hold a gradient in several pieces
  std::vector<Hint> hints;
};

/// What one dp rank has of a flat operand.
Pieces ofDpRank(const Flat &flat, int64_t rank, int64_t dp);

} // namespace autotp
