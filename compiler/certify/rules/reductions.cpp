#include "compiler/certify/rules/reductions.h"

#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/squares.h"
#include "compiler/certify/state/proof.h"

#include <cmath>

namespace autotp {
namespace {

bool isNothing(const Content &content, Partial kind) {
  const auto *constant = content.as<Constant>();
  return kind == Partial::Sum ? content.isZero() : constant && constant->isFill() && constant->fill == -HUGE_VAL;
}

/// Fails unless what a member has may be reduced with what another one has.
llvm::Error checkMember(const Symbols &symbols, const Content &content, const Content &model, Partial kind) {
  const auto *own = content.as<Elements>();
  if (!own || own->isUpdated || (own->isPartial() && own->partial != kind))
    return refuse("a member has " + symbols.text(content));
  const Elements &first = *model.as<Elements>();
  if (own->root != first.root || own->lists != first.lists || own->summedOver != first.summedOver)
    return refuse("a member has " + symbols.text(content) + ", another " + symbols.text(model));
  return llvm::Error::success();
}

llvm::Expected<const Content *> wholeOf(Proof &proof, llvm::ArrayRef<const Content *> contents, Partial kind) {
  const Content *model = nullptr;
  std::vector<Summands> summands;
  bool areWhole = true;
  for (const Content *content : contents) {
    if (isNothing(*content, kind)) continue;
    if (llvm::Error error = checkMember(proof.symbols, *content, model ? *model : *content, kind)) return error;
    if (!model) model = content;
    areWhole &= !content->isPartial();
    llvm::append_range(summands, summandsOf(*content->as<Elements>()));
  }
  if (!model) return contents[0];
  if (kind == Partial::Max && areWhole) return model;
  const Elements &first = *model->as<Elements>();
  if (llvm::Error error = proof.symbols.contributions.checkComplete(summands, first.lists, kind))
    return refuse("of " + proof.symbols.text(*model) + ", ", std::move(error));
  Elements whole{first.root, first.lists};
  whole.summedOver = first.summedOver;
  return proof.symbols.store.add({model->dtype, model->bytes, std::move(whole)});
}

llvm::Error notWhole(llvm::Error why) { return refuse("its group does not make a whole: ", std::move(why)); }

} // namespace

llvm::Expected<const Content *> reduced(Proof &proof, llvm::ArrayRef<const Content *> contents, Partial kind) {
  llvm::Expected<const Content *> whole = wholeOf(proof, contents, kind);
  if (!whole) return notWhole(whole.takeError());
  return whole;
}

llvm::Expected<const Content *> reducedSquares(Proof &proof, llvm::ArrayRef<const Content *> contents, bool overDp) {
  if (llvm::Error error = checkEachCountsOnce(proof, contents, overDp)) return notWhole(std::move(error));
  return proof.symbols.store.add({DType::F32, sizeOf(DType::F32), StepNumber::AllSquares});
}

bool isAll(const plan::Group &group, int64_t n) {
  if (group.ranks_size() != n) return false;
  for (int c = 0; c < group.ranks_size(); ++c)
    if (group.ranks(c) != uint32_t(c)) return false;
  return true;
}

} // namespace autotp
