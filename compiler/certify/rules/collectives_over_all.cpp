// compiler/certify/rules/collectives_over_all.cpp: what collectives between all ranks leave. One member stands for all dp
// ranks of its tp rank.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/reductions.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

using Flats = std::vector<Flat>; ///< one for each member

llvm::Expected<Flats> operandsOf(llvm::ArrayRef<Member> members) {
  Flats flats;
  for (const Member &member : members) {
    llvm::Expected<Flat> flat = member.rank->readFlat(member.collective().operand());
    if (!flat) return flat.takeError();
    flats.push_back(std::move(*flat));
  }
  return flats;
}

/// Returns the sums of squares of members; there are as many as members if a norm is reduced.
Contents squaresOf(const Flats &flats) {
  Contents squares;
  for (const Flat &flat : flats) {
    const Content *only = flat.image.size() == 1 ? flat.image[0].content : nullptr;
    if (only && (only->as<SumOfSquares>() || only->is(StepNumber::AllSquares))) squares.push_back(only);
  }
  return squares;
}

/// Returns the byte up to which no member's piece ends, from `at` on.
llvm::Expected<uint64_t> endOfRun(const Flats &flats, uint64_t at, uint64_t end) {
  for (const Flat &flat : flats) {
    if (flat.isSliced) return refuse("it adds slices of different elements");
    uint64_t pieceEnd = 0;
    for (const Piece &piece : flat.image)
      if ((pieceEnd += piece.bytes) > at) break;
    if (pieceEnd <= at) return refuse("its members have different numbers of elements");
    end = std::min(end, pieceEnd);
  }
  return end;
}

/// Sums these bytes over all members and, as each member has them for its own part of the batch, over dp.
llvm::Expected<const Content *> sumOfRun(Proof &proof, const Flats &flats, uint64_t begin, uint64_t bytes) {
  Contents contents;
  for (const Flat &flat : flats) {
    contents.push_back(proof.joins.together(sub(flat.image, begin, bytes)));
    if (!contents.back()) return refuse("what a member adds is no box of one value");
  }
  llvm::Expected<const Content *> whole = reduced(proof, contents, Partial::Sum);
  if (!whole || proof.options.dp == 1) return whole;
  const Content *summed = proof.after(*whole, Change::SumOverDp);
  if (!summed) return refuse("it sums over dp what is summed already");
  return summed;
}

llvm::Expected<Pieces> sumOf(Proof &proof, const Flats &flats) {
  const uint64_t end = bytesOf(flats[0].image);
  Pieces sum;
  for (uint64_t at = 0; at < end;) {
    llvm::Expected<uint64_t> next = endOfRun(flats, at, end);
    if (!next) return next.takeError();
    llvm::Expected<const Content *> whole = sumOfRun(proof, flats, at, *next - at);
    if (!whole) return whole.takeError();
    append(sum, {*whole, 0, *next - at});
    at = *next;
  }
  return sum;
}

/// Returns all ranks' slices, in the order of the ranks: rank is dp_rank * tp + tp_rank.
llvm::Expected<Pieces> inRankOrder(const Proof &proof, const Flats &flats) {
  Pieces all;
  for (int64_t dpRank = 0; dpRank < proof.options.dp; ++dpRank)
    for (const Flat &flat : flats) {
      if (!flat.isSliced && proof.options.dp > 1) return refuse("it gathers what every dp rank has whole");
      for (const Piece &piece : ofDpRank(flat, dpRank, proof.options.dp))
        append(all, piece);
    }
  return all;
}

/// Returns each rank's slice of an image, as the member has it that stands for the dp ranks of this tp rank.
Flat slicesOf(const Proof &proof, llvm::ArrayRef<Piece> image, int64_t tpRank) {
  const uint64_t bytes = bytesOf(image) / uint64_t(proof.options.tp * proof.options.dp);
  Flat own{{}, proof.options.dp > 1};
  for (int64_t dpRank = 0; dpRank < proof.options.dp; ++dpRank)
    for (const Piece &piece : sub(image, uint64_t(dpRank * proof.options.tp + tpRank) * bytes, bytes))
      append(own.image, piece);
  return own;
}

llvm::Expected<Pieces> resultOf(Proof &proof, const Flats &flats, plan::CollectiveKind kind) {
  const Contents squares = squaresOf(flats);
  if (kind == plan::ALL_REDUCE_SUM && squares.size() == flats.size()) {
    llvm::Expected<const Content *> norm = reducedSquares(proof, squares, proof.options.dp > 1);
    if (!norm) return norm.takeError();
    return Pieces{{*norm, 0, (*norm)->bytes}};
  }
  if (kind == plan::ALL_GATHER) return inRankOrder(proof, flats);
  if (kind == plan::ALL_REDUCE_SUM || kind == plan::REDUCE_SCATTER_SUM) return sumOf(proof, flats);
  return refuse("no rule knows what it leaves");
}

} // namespace

llvm::Error collectiveOverAll(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group) {
  if (!isAll(group, proof.options.tp * proof.options.dp)) return refuse("its group is not all ranks in order");
  const plan::CollectiveKind kind = members[0].collective().kind();
  llvm::Expected<Flats> flats = operandsOf(members);
  if (!flats) return flats.takeError();
  llvm::Expected<Pieces> result = resultOf(proof, *flats, kind);
  if (!result) return result.takeError();
  const bool scatters = kind == plan::REDUCE_SCATTER_SUM;
  for (auto [t, member] : indexed(members))
    if (llvm::Error error = member.rank->writeFlat(
            member.collective().result(), scatters ? slicesOf(proof, *result, int64_t(t)) : Flat{*result, false}))
      return error;
  return llvm::Error::success();
}

} // namespace autotp
