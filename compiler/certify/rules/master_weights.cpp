// compiler/certify/rules/master_weights.cpp: parameters that follow from updated master weights of their bucket.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"

namespace autotp {
namespace {

/// Says whether master weights lie there, or what is between them.
bool isMaster(const TpRank &rank, const plan::TensorRef &ref) {
  const std::optional<ByteRange> range = rank.rangeOf(ref);
  if (!range) return false;
  llvm::Expected<Pieces> held = rank.arena.read(*range);
  if (!held) {
    llvm::consumeError(held.takeError());
    return false;
  }
  auto isOne = [](const Piece &piece) { return piece.content->isUpdated() || piece.content->is(Stored::State); };
  return llvm::any_of(*held, [&](const Piece &piece) {
    const auto *slice = piece.content->as<SliceOverDp>();
    return isOne(piece) || (slice && llvm::any_of(slice->image, isOne));
  });
}

/// Returns the same elements in this dtype.
llvm::Expected<Piece> roundedPiece(Proof &proof, const Piece &piece, DType dtype) {
  const uint64_t from = sizeOf(piece.content->dtype), to = sizeOf(dtype), bytes = piece.bytes / from * to;
  if (piece.content->is(Stored::State)) // padding: 0 stays 0
    return Piece{proof.symbols.store.add({dtype, bytes, Stored::State}), 0, bytes};
  const Content *next = proof.rounded(*piece.content, dtype);
  if (!next || piece.offset % from || piece.bytes % from)
    return refuse("it rounds " + proof.symbols.text(*piece.content) +
                  ", no updated master weights of parameters in its dtype");
  return Piece{next, piece.offset / from * to, bytes};
}

llvm::Error roundMasters(TpRank &rank, const plan::KernelCall &call) {
  llvm::Expected<Flat> masters = rank.readFlat(call.operands(0));
  if (!masters) return masters.takeError();
  Flat parameters{{}, masters->isSliced};
  for (const Piece &piece : masters->image) {
    llvm::Expected<Piece> next = roundedPiece(rank.proof, piece, DType(call.results(0).dtype()));
    if (!next) return next.takeError();
    append(parameters.image, *next);
  }
  return rank.writeFlat(call.results(0), parameters);
}

} // namespace

llvm::Error castCall(TpRank &rank, const plan::KernelCall &call) {
  return isMaster(rank, call.operands(0)) ? roundMasters(rank, call) : operatorCall(rank, call);
}

} // namespace autotp
