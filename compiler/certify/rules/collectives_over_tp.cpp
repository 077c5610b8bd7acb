// compiler/certify/rules/collectives_over_tp.cpp: what collectives between tp ranks leave.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/reductions.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"

namespace autotp {
namespace {

llvm::Error allReduce(Proof &proof, llvm::ArrayRef<Member> members) {
  Contents contents;
  for (const Member &member : members) {
    llvm::Expected<const Content *> content = member.rank->read(member.collective().operand());
    if (!content) return content.takeError();
    contents.push_back(*content);
  }
  if (llvm::all_of(contents, [](const Content *content) { return !content; })) return llvm::Error::success();
  if (llvm::is_contained(contents, nullptr)) return refuse("some of its members have nothing to reduce");
  const plan::CollectiveKind kind = members[0].collective().kind();
  const bool isNorm =
      contents[0]->as<SumOfSquares>() && kind == plan::ALL_REDUCE_SUM && int64_t(members.size()) == proof.options.tp;
  llvm::Expected<const Content *> result =
      isNorm ? reducedSquares(proof, contents, /*overDp=*/false)
             : reduced(proof, contents, kind == plan::ALL_REDUCE_MAX ? Partial::Max : Partial::Sum);
  if (!result) return result.takeError();
  for (const Member &member : members)
    member.rank->write(member.collective().result(), *result);
  return llvm::Error::success();
}

/// Returns what all members have together of a member's part; null if it is empty.
llvm::Expected<const Content *> reducedPart(Proof &proof, llvm::ArrayRef<Pieces> operands, uint64_t begin,
                                            uint64_t bytes) {
  if (bytes == 0) return nullptr;
  Contents contents;
  for (const Pieces &operand : operands) {
    contents.push_back(proof.joins.together(sub(operand, begin, bytes)));
    if (!contents.back()) return refuse("a member's part is no box of one value");
  }
  return reduced(proof, contents, Partial::Sum);
}

llvm::Expected<std::vector<Pieces>> operandsOf(llvm::ArrayRef<Member> members) {
  std::vector<Pieces> operands;
  for (const Member &member : members) {
    llvm::Expected<Pieces> held = member.rank->readPieces(member.collective().operand());
    if (!held) return held.takeError();
    operands.push_back(std::move(*held));
  }
  return operands;
}

/// Each member's part of all operands becomes whole by itself: a part may be any box, not only a range of the value.
llvm::Error reduceScatter(Proof &proof, llvm::ArrayRef<Member> members) {
  auto operands = operandsOf(members);
  if (!operands) return operands.takeError();
  uint64_t begin = 0;
  for (const Member &member : members) {
    const plan::TensorRef &ref = member.collective().result();
    llvm::Expected<const Content *> part = reducedPart(proof, *operands, begin, bytesOf(ref));
    if (!part) return part.takeError();
    if (*part) member.rank->write(ref, *part);
    begin += bytesOf(ref);
  }
  return llvm::Error::success();
}

llvm::Error allGather(llvm::ArrayRef<Member> members) {
  auto operands = operandsOf(members);
  if (!operands) return operands.takeError();
  Pieces all;
  for (const Pieces &operand : *operands)
    llvm::append_range(all, operand);
  for (const Member &member : members)
    member.rank->write(member.collective().result(), all);
  return llvm::Error::success();
}

} // namespace

llvm::Error collectiveOverTp(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group) {
  if (size_t(group.ranks_size()) != members.size()) return refuse("its group has a member twice");
  switch (members[0].collective().kind()) {
  case plan::ALL_GATHER:
    return allGather(members);
  case plan::REDUCE_SCATTER_SUM:
    return reduceScatter(proof, members);
  case plan::ALL_REDUCE_SUM:
  case plan::ALL_REDUCE_MAX:
    return allReduce(proof, members);
  default:
    return refuse("no rule knows what it leaves");
  }
}

} // namespace autotp
