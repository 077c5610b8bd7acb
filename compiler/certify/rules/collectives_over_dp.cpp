// compiler/certify/rules/collectives_over_dp.cpp: what collectives between the dp ranks of one tp rank leave.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/reductions.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"

namespace autotp {
namespace {

llvm::Error allGather(TpRank &rank, const plan::Collective &collective, Flat held) {
  if (!held.isSliced && rank.proof.options.dp > 1) return refuse("it gathers what every dp rank has whole");
  held.isSliced = false;
  return rank.writeFlat(collective.result(), held);
}

/// Members hold the same values, each for its own part of the batch.
llvm::Error reduce(TpRank &rank, const plan::Collective &collective, Flat held) {
  if (held.isSliced) return refuse("it adds slices of different elements");
  for (Piece &piece : held.image) {
    const Content *content = rank.proof.after(piece.content, Change::SumOverDp);
    if (!content) return refuse("it sums over dp " + rank.proof.symbols.text(*piece.content));
    piece.content = content;
  }
  held.isSliced = collective.kind() == plan::REDUCE_SCATTER_SUM && rank.proof.options.dp > 1;
  return rank.writeFlat(collective.result(), held);
}

} // namespace

llvm::Error collectiveOverDp(TpRank &rank, const plan::Collective &collective) {
  if (!isAll(rank.program.groups(int(collective.group())), rank.proof.options.dp))
    return refuse("its group is not all dp ranks in order");
  for (int64_t count : collective.counts())
    if (count != collective.counts(0)) return refuse("its dp ranks have parts of different sizes");
  llvm::Expected<Flat> held = rank.readFlat(collective.operand());
  if (!held) return held.takeError();
  switch (collective.kind()) {
  case plan::ALL_GATHER:
    return allGather(rank, collective, std::move(*held));
  case plan::ALL_REDUCE_SUM:
  case plan::REDUCE_SCATTER_SUM:
    return reduce(rank, collective, std::move(*held));
  default:
    return refuse("no rule knows what it leaves");
  }
}

} // namespace autotp
