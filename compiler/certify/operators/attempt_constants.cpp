// compiler/certify/operators/attempt_constants.cpp: which part of the graph's constants an operand is.
#include "compiler/certify/operators/attempt.h"
#include "compiler/certify/refusal.h"
#include "runtime/base/indexed.h"

namespace autotp {

bool Attempt::isKnown(const Dim &dim) const {
  return llvm::all_of(dim.leaves, [&](unsigned leaf) { return leaves_[leaf].has_value(); });
}

/// Returns the list of a dimension whose leaves are known.
std::optional<ListId> Attempt::listOfKnown(const Dim &dim) {
  Lists own;
  for (const auto &leaf : leaves_)
    own.push_back(leaf.value_or(0));
  return listOfDim(lists_, indices_, dim, own);
}

/// Returns the likely part of zeros that are a segment of a concat.
std::optional<ListId> Attempt::hintFor(unsigned operand, int64_t held) {
  const auto cut = size_t(indices_.cutDim);
  int64_t begin = 0;
  for (unsigned before = 0; before < operand; ++before)
    begin += node_.operands[before].type.shape[cut];
  return constants_.hintFor(node_.resultTypes[0].shape[cut], call_.results(0).shape(int(cut)),
                            {begin, begin + node_.operands[operand].type.shape[cut]}, held);
}

llvm::Expected<Attempt::ConstantPart> Attempt::partOfConstant(unsigned k) {
  const GlobalOperand &wanted = node_.operands[k];
  const bool isFill = wanted.kind == GlobalOperand::Kind::Fill;
  const std::optional<Lists> claimed =
      constants_.claimedPart(*reads_[k].content->as<Constant>(), wanted, reads_[k].shape);
  ConstantPart part;
  for (auto [d, dim] : indexed(indices_.ins[k])) {
    const int64_t size = reads_[k].shape[d];
    std::optional<ListId> list = isKnown(dim) ? listOfKnown(dim) : std::nullopt;
    const bool isAny = !isKnown(dim) || (list && lists_.isFree(*list)); // the others have the same at each index
    if (isAny && claimed) {
      list = (*claimed)[d];
    } else if (isAny && size == wanted.type.shape[d]) {
      list = lists_.whole(size);
    } else if (!isKnown(dim) && isFill) {
      list = int(d) == indices_.cutDim ? hintFor(k, size) : lists_.free(size);
    } else if (isAny && !isFill && !part.open) {
      part.open = d;
      list = lists_.free(size);
    }
    if (!list || lists_.length(*list) != size)
      return refuse("operand " + llvm::Twine(k) + ", a constant, is not the part that the others need");
    part.held.push_back(*list);
  }
  return part;
}

llvm::Error Attempt::takeConstant(unsigned k) {
  const GlobalOperand &wanted = node_.operands[k];
  if (wanted.kind == GlobalOperand::Kind::Value || !reads_[k].content) return llvm::Error::success();
  const auto *constant = reads_[k].content->as<Constant>();
  if (!constant || constant->summedOver != SummedOver()) return refuse(textOf(k) + ", not a constant of the graph");
  // Zeros in place of other numbers of the graph: those count on another rank. If nothing is Partial, they may be its own.
  const bool mayBeNothing = isAdditive() && reads_[k].content->isZero() && !isZeroConstant(wanted);
  const bool isNothing = mayBeNothing && llvm::any_of(reads_, [](const OperandRead &read) {
                           return read.content && read.content->isPartial();
                         });
  llvm::Expected<ConstantPart> part = partOfConstant(k);
  if (!part) return part.takeError();
  if (part->open && !isNothing) { // found by what is there
    const size_t open = *part->open;
    std::optional<ListId> found = constants_.partAlong(*constant, wanted, {part->held, open, reads_[k].shape[open]});
    if (!found && !mayBeNothing) return refuse("operand " + llvm::Twine(k) + " is no part of the graph's constant");
    if (found) part->held[open] = *found;
  }
  if (llvm::Error error = bindDims(k, part->held)) return error;
  if (!isNothing && constants_.isPartOf(*constant, wanted, part->held)) return llvm::Error::success();
  if (!mayBeNothing) return refuse("operand " + llvm::Twine(k) + " is another constant than the graph's");
  addsParts_ = true;
  return llvm::Error::success();
}

} // namespace autotp
