#include "compiler/certify/state/tp_rank.h"

#include "compiler/certify/refusal.h"
#include "compiler/certify/state/buckets.h"
#include "compiler/certify/state/proof.h"

namespace autotp {
namespace {

/// What is read as another dtype than it was computed in is another number.
llvm::Error checkDType(const plan::TensorRef &ref, llvm::ArrayRef<Piece> pieces) {
  for (const Piece &piece : pieces)
    if (piece.content->as<Elements>() && piece.content->dtype != DType(ref.dtype()))
      return refuse("an operand holds bytes of another dtype");
  return llvm::Error::success();
}

llvm::Error noPartOfOneValue(const Symbols &symbols, llvm::ArrayRef<Piece> pieces) {
  std::string text;
  constexpr size_t kShown = 4;
  for (const Piece &piece : pieces.take_front(kShown))
    text += (text.empty() ? "" : " and then ") + symbols.text(*piece.content);
  return refuse("an operand holds " + text + ", which is no part of one value");
}

/// Returns the slices that dp ranks have of these pieces, one rank's after the other's.
Pieces slicesTogether(llvm::ArrayRef<Piece> pieces, int64_t dp) {
  Pieces together;
  for (int64_t rank = 0; rank < dp; ++rank)
    for (const Piece &piece : pieces) {
      const Pieces &image = piece.content->as<SliceOverDp>()->image;
      for (const Piece &own : sub(image, uint64_t(rank) * piece.content->bytes + piece.offset, piece.bytes))
        append(together, own);
    }
  return together;
}

} // namespace

std::optional<ByteRange> TpRank::rangeOf(const plan::TensorRef &ref) const {
  ByteRange range{ref.offset(), bytesOf(ref), 1, 0};
  if (ref.dp_stride() == 0 || proof.options.dp == 1 || range.bytes == 0) return range;
  if (ref.dp_stride() < range.bytes) return std::nullopt;
  range.ranks = proof.options.dp;
  range.stride = ref.dp_stride();
  return range;
}

llvm::Expected<Pieces> TpRank::readPieces(const plan::TensorRef &ref) const {
  std::optional<ByteRange> range = rangeOf(ref);
  if (!range || range->isSliced()) return refuse("an operand that should be whole is a slice over dp");
  llvm::Expected<Pieces> held = arena.read(*range);
  if (!held) return held.takeError();
  if (llvm::Error error = checkDType(ref, *held)) return error;
  return held;
}

llvm::Expected<const Content *> TpRank::read(const plan::TensorRef &ref) const {
  if (bytesOf(ref) == 0) return nullptr;
  llvm::Expected<Pieces> held = readPieces(ref);
  if (!held) return held.takeError();
  for (const Piece &piece : *held)
    if (piece.content->dtype != DType(ref.dtype())) return refuse("an operand holds bytes of another dtype");
  if (const Content *all = proof.joins.together(*held)) return proof.settled(all);
  return noPartOfOneValue(proof.symbols, *held);
}

llvm::Expected<Flat> TpRank::readFlat(const plan::TensorRef &ref) {
  std::optional<ByteRange> range = rangeOf(ref);
  if (!range) return refuse("the slices of the dp ranks lie over each other");
  joinGradients(*this, ref);
  llvm::Expected<Pieces> image = arena.read(*range);
  if (!image) return image.takeError();
  if (llvm::Error error = checkDType(ref, *image)) return error;
  Flat held{std::move(*image), range->isSliced()};
  auto isSlice = [](const Piece &piece) { return piece.content->as<SliceOverDp>(); };
  if (held.isSliced || held.image.empty() || !llvm::all_of(held.image, isSlice)) return held;
  Flat together{slicesTogether(held.image, proof.options.dp), true};
  if (llvm::Error error = checkDType(ref, together.image)) return error;
  return together;
}

void TpRank::write(const plan::TensorRef &ref, llvm::ArrayRef<Piece> pieces) {
  const int64_t dp = proof.options.dp;
  if (ref.dp_stride() == 0 || dp == 1) return arena.write({ref.offset(), bytesOf(ref), 1, 0}, pieces);
  for (int64_t rank = 0; rank < dp; ++rank)
    arena.forget(ref.offset() + uint64_t(rank) * ref.dp_stride(), bytesOf(ref));
}

void TpRank::write(const plan::TensorRef &ref, const Content *content) { write(ref, Piece{content, 0, bytesOf(ref)}); }

void TpRank::writeNew(const plan::TensorRef &ref, decltype(Content::what) what) {
  write(ref, proof.symbols.store.add({DType(ref.dtype()), bytesOf(ref), std::move(what)}));
}

llvm::Error TpRank::writeFlat(const plan::TensorRef &ref, const Flat &flat) {
  std::optional<ByteRange> range = rangeOf(ref);
  const uint64_t wanted = bytesOf(ref) * (flat.isSliced ? uint64_t(proof.options.dp) : 1);
  if (!range || bytesOf(flat.image) != wanted || (range->isSliced() && !flat.isSliced))
    return refuse("its result is not as large as what it computes");
  if (!flat.isSliced || range->isSliced()) {
    arena.write(*range, flat.image);
    return llvm::Error::success();
  }
  const Content *slice = proof.symbols.store.add({DType(ref.dtype()), bytesOf(ref), SliceOverDp{flat.image}});
  arena.write(*range, Piece{slice, 0, slice->bytes});
  return llvm::Error::success();
}

Pieces ofDpRank(const Flat &flat, int64_t rank, int64_t dp) {
  if (!flat.isSliced) return flat.image;
  const uint64_t bytes = bytesOf(flat.image) / uint64_t(dp);
  return sub(flat.image, uint64_t(rank) * bytes, bytes);
}

} // namespace autotp
