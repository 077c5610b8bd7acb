#include "compiler/certify/rules/collective_rules.h"

#include "compiler/certify/rules/squares.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

using Contents = llvm::SmallVector<const Content *, 8>;

bool isAll(const plan::Group &group, int64_t n) {
  if (group.coordinates_size() != n) return false;
  for (int c = 0; c < group.coordinates_size(); ++c)
    if (group.coordinates(c) != uint32_t(c)) return false;
  return true;
}

bool isEmptyMaximum(const Content &content) {
  return content.kind == Content::Kind::Constant && content.data.empty() && content.fill == -HUGE_VAL;
}

/// What an all-reduce leaves on every member; null: it reduces what is not pending, or not all of it.
const Content *reduced(Proof &proof, llvm::ArrayRef<const Content *> contents, Pending kind, std::string &why) {
  const Content *model = nullptr;
  std::vector<Part> parts;
  bool areWhole = true;
  for (const Content *content : contents) {
    if (kind == Pending::Sum ? content->isZero() : isEmptyMaximum(*content)) continue;
    why = "a member has " + describe(*content, proof.values, proof.lists);
    if (content->kind != Content::Kind::Value || content->isUpdated) return nullptr;
    if (content->pending != Pending::None && content->pending != kind) return nullptr;
    if (!model) model = content;
    if (content->root != model->root || content->lists != model->lists ||
        content->isAccumulated != model->isAccumulated || content->isSummedOverDp != model->isSummedOverDp) {
      why += ", another " + describe(*model, proof.values, proof.lists);
      return nullptr;
    }
    areWhole &= content->pending == Pending::None;
    for (Part &part : proof.moves.partsOf(*content))
      parts.push_back(std::move(part));
  }
  if (!model) return contents[0];
  if (kind == Pending::Max && areWhole) return model;
  std::string what = describe(*model, proof.values, proof.lists);
  if (!proof.contributions.isComplete(parts, model->lists, kind, why)) {
    why = "of " + what + ", " + why;
    return nullptr;
  }
  Content whole = *model;
  whole.pending = Pending::None;
  whole.parts.clear();
  return proof.store.add(std::move(whole));
}

const Content *reducedSquares(Proof &proof, llvm::ArrayRef<const Content *> contents, bool overDp, std::string &why) {
  if (!countEachOnce(proof, contents, overDp, why)) return nullptr;
  Content all;
  all.kind = Content::Kind::Squares;
  all.bytes = sizeOf(DType::F32);
  all.isComplete = true;
  return proof.store.add(std::move(all));
}

llvm::Error notWhole(const std::string &why) { return problem("", "its group does not make a whole: " + why); }

llvm::Error allReduceOverTp(Proof &proof, llvm::ArrayRef<Member> members) {
  Contents contents;
  for (const Member &member : members) {
    llvm::Expected<const Content *> content = member.coordinate->tensor(member.step->collective().operand());
    if (!content) return content.takeError();
    contents.push_back(*content);
  }
  if (llvm::all_of(contents, [](const Content *content) { return !content; })) return llvm::Error::success();
  if (llvm::is_contained(contents, nullptr)) return problem("", "some of its members have nothing to reduce");
  const plan::CollectiveKind kind = members[0].step->collective().kind();
  std::string why;
  const Content *result = nullptr;
  if (contents[0]->kind == Content::Kind::Squares && kind == plan::ALL_REDUCE_SUM &&
      int64_t(members.size()) == proof.options.tp)
    result = reducedSquares(proof, contents, /*overDp=*/false, why);
  else
    result = reduced(proof, contents, kind == plan::ALL_REDUCE_MAX ? Pending::Max : Pending::Sum, why);
  if (!result) return notWhole(why);
  for (const Member &member : members) {
    const plan::TensorRef &ref = member.step->collective().result();
    member.coordinate->write(ref, Piece{result, 0, bytesOf(ref)});
  }
  return llvm::Error::success();
}

/// Each member's part of all operands becomes whole by itself: a part may be any box, not only a range of the value.
llvm::Error reduceScatter(Proof &proof, llvm::ArrayRef<Member> members) {
  std::vector<std::vector<Piece>> operands;
  for (const Member &member : members) {
    llvm::Expected<std::vector<Piece>> held = member.coordinate->pieces(member.step->collective().operand());
    if (!held) return held.takeError();
    operands.push_back(std::move(*held));
  }
  uint64_t begin = 0;
  for (const Member &member : members) {
    const plan::TensorRef &ref = member.step->collective().result();
    const uint64_t bytes = bytesOf(ref);
    Contents contents;
    for (const std::vector<Piece> &operand : operands) {
      contents.push_back(bytes ? proof.together(Coordinate::sub(operand, begin, bytes)) : nullptr);
      if (bytes && !contents.back()) return problem("", "a member's part is no box of one value");
    }
    std::string why;
    const Content *result = bytes ? reduced(proof, contents, Pending::Sum, why) : nullptr;
    if (bytes && !result) return notWhole(why);
    if (bytes) member.coordinate->write(ref, Piece{result, 0, bytes});
    begin += bytes;
  }
  return llvm::Error::success();
}

llvm::Error gather(llvm::ArrayRef<Member> members) {
  std::vector<Piece> all;
  for (const Member &member : members) {
    llvm::Expected<std::vector<Piece>> held = member.coordinate->pieces(member.step->collective().operand());
    if (!held) return held.takeError();
    all.insert(all.end(), held->begin(), held->end());
  }
  for (const Member &member : members)
    member.coordinate->write(member.step->collective().result(), all);
  return llvm::Error::success();
}

using Flats = std::vector<Coordinate::Flat>;

/// Of whole images the sum over all members and, as each member has it for its own part of the batch, over dp.
llvm::Expected<std::vector<Piece>> sumOf(Proof &proof, const Flats &flats) {
  uint64_t end = 0;
  for (const Piece &piece : flats[0].image)
    end += piece.bytes;
  std::vector<Piece> sum;
  for (uint64_t at = 0, next = end; at < end; at = next, next = end) {
    for (const Coordinate::Flat &flat : flats) { // up to where some member's piece ends
      if (flat.isSliced) return problem("", "it adds slices of different elements");
      uint64_t pieceEnd = 0;
      for (const Piece &piece : flat.image)
        if ((pieceEnd += piece.bytes) > at) break;
      if (pieceEnd <= at) return problem("", "its members have different numbers of elements");
      next = std::min(next, pieceEnd);
    }
    Contents contents;
    for (const Coordinate::Flat &flat : flats) {
      contents.push_back(proof.together(Coordinate::sub(flat.image, at, next - at)));
      if (!contents.back()) return problem("", "what a member adds is no box of one value");
    }
    std::string why;
    const Content *whole = reduced(proof, contents, Pending::Sum, why);
    if (!whole) return notWhole(why);
    if (proof.options.dp > 1) whole = proof.after(whole, Proof::Step::SumOverDp);
    if (!whole) return problem("", "it sums over dp what is summed already");
    append(sum, {whole, 0, next - at});
  }
  return sum;
}

/// All ranks' slices, in the order of the ranks: rank is dp_rank * tp + tp_rank.
llvm::Expected<std::vector<Piece>> inRankOrder(Proof &proof, llvm::ArrayRef<Member> members, const Flats &flats) {
  std::vector<Piece> all;
  for (int64_t rank = 0; rank < proof.options.dp; ++rank)
    for (auto [t, flat] : indexed(flats)) {
      if (!flat.isSliced && proof.options.dp > 1) return problem("", "it gathers what every dp rank has whole");
      for (const Piece &piece : members[t].coordinate->ofRank(flat, rank))
        append(all, piece);
    }
  return all;
}

/// Each rank's slice of an image, as a coordinate has it that stands for its dp ranks.
Coordinate::Flat slicesOf(const Proof &proof, llvm::ArrayRef<Piece> image, int64_t coordinate) {
  uint64_t bytes = 0;
  for (const Piece &piece : image)
    bytes += piece.bytes;
  bytes /= uint64_t(proof.options.tp * proof.options.dp);
  Coordinate::Flat own{{}, proof.options.dp > 1};
  for (int64_t rank = 0; rank < proof.options.dp; ++rank)
    for (const Piece &piece : Coordinate::sub(image, uint64_t(rank * proof.options.tp + coordinate) * bytes, bytes))
      append(own.image, piece);
  return own;
}

llvm::Error overAllRanks(Proof &proof, llvm::ArrayRef<Member> members) {
  const plan::CollectiveKind kind = members[0].step->collective().kind();
  Flats flats;
  Contents scalars;
  for (const Member &member : members) {
    llvm::Expected<Coordinate::Flat> flat = member.coordinate->flat(member.step->collective().operand());
    if (!flat) return flat.takeError();
    const bool isSquares = flat->image.size() == 1 && flat->image[0].content->kind == Content::Kind::Squares;
    if (isSquares) scalars.push_back(flat->image[0].content);
    flats.push_back(std::move(*flat));
  }
  std::vector<Piece> result;
  if (kind == plan::ALL_REDUCE_SUM && scalars.size() == members.size()) {
    std::string why;
    const Content *norm = reducedSquares(proof, scalars, proof.options.dp > 1, why);
    if (!norm) return notWhole(why);
    result.push_back({norm, 0, norm->bytes});
  } else if (kind == plan::ALL_GATHER || kind == plan::ALL_REDUCE_SUM || kind == plan::REDUCE_SCATTER_SUM) {
    auto made = kind == plan::ALL_GATHER ? inRankOrder(proof, members, flats) : sumOf(proof, flats);
    if (!made) return made.takeError();
    result = std::move(*made);
  } else {
    return problem("", "no rule knows what it leaves");
  }
  for (auto [t, member] : indexed(members)) {
    const Coordinate::Flat whole{result, false};
    const plan::TensorRef &ref = member.step->collective().result();
    if (llvm::Error error = member.coordinate->writeFlat(
            ref, kind == plan::REDUCE_SCATTER_SUM ? slicesOf(proof, result, int64_t(t)) : whole))
      return error;
  }
  return llvm::Error::success();
}

llvm::Error execute(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group) {
  const plan::CollectiveKind kind = members[0].step->collective().kind();
  if (group.axis() == plan::WORLD)
    return isAll(group, proof.options.tp * proof.options.dp) ? overAllRanks(proof, members)
                                                             : problem("", "its group is not all ranks in order");
  if (size_t(group.coordinates_size()) != members.size()) return problem("", "its group has a member twice");
  if (kind == plan::ALL_GATHER) return gather(members);
  if (kind == plan::REDUCE_SCATTER_SUM) return reduceScatter(proof, members);
  return kind <= plan::ALL_REDUCE_MAX ? allReduceOverTp(proof, members) : problem("", "no rule knows what it leaves");
}

} // namespace

llvm::Error executeCollective(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group) {
  llvm::Error error = execute(proof, members, group);
  return error ? members[0].coordinate->at(*members[0].step, std::move(error)) : llvm::Error::success();
}

/// All dp ranks run this program, so the members hold the same, each for its own part of the batch.
llvm::Error Coordinate::collectiveOverDp(const plan::Collective &c) {
  const int64_t dp = proof_.options.dp;
  if (!isAll(program_.groups(int(c.group())), dp)) return problem("", "its group is not all dp ranks in order");
  for (int64_t count : c.counts())
    if (count != c.counts(0)) return problem("", "its dp ranks have parts of different sizes");
  llvm::Expected<Flat> held = flat(c.operand());
  if (!held) return held.takeError();
  if (c.kind() == plan::ALL_GATHER) {
    if (!held->isSliced && dp > 1) return problem("", "it gathers what every dp rank has whole");
    held->isSliced = false;
    return writeFlat(c.result(), *held);
  }
  if (c.kind() != plan::ALL_REDUCE_SUM && c.kind() != plan::REDUCE_SCATTER_SUM)
    return problem("", "no rule knows what it leaves");
  if (held->isSliced) return problem("", "it adds slices of different elements");
  for (Piece &piece : held->image) {
    const Content *content = proof_.after(piece.content, Proof::Step::SumOverDp);
    if (!content) return problem("", "it sums over dp " + describe(*piece.content, proof_.values, proof_.lists));
    piece.content = content;
  }
  held->isSliced = c.kind() == plan::REDUCE_SCATTER_SUM && dp > 1;
  return writeFlat(c.result(), *held);
}

} // namespace autotp
