#include "compiler/certify/certify.h"

#include "compiler/certify/state/proof.h"
#include "compiler/certify/walk/walk.h"
#include "compiler/ir/loss.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/check_world.h"

#include "llvm/ADT/StringExtras.h"

namespace autotp {
namespace {

bool hasBatchStatistics(const Graph &graph) {
  return llvm::any_of(graph.outputs, [](const Output &output) { return isBatchStatistic(output.name); });
}

llvm::Error checkSections(const Graph &graph, const plan::Program &program) {
  llvm::SmallVector<llvm::StringRef, 4> wanted = {"micro_step", "optimizer_step", "evaluate"};
  if (hasBatchStatistics(graph)) wanted.insert(wanted.begin(), "batch_statistics");
  auto nameOf = [](const plan::Section &section) { return llvm::StringRef(section.name()); };
  if (!llvm::equal(llvm::map_range(program.sections(), nameOf), wanted))
    return problem("program", "its sections are not " + llvm::join(wanted, ", "));
  return llvm::Error::success();
}

/// Says on which tp rank, and when, an error is that does not say it.
llvm::Error atRank(const TpRank &rank, const llvm::Twine &when, llvm::Error error) {
  return placed(("tp rank " + llvm::Twine(rank.number) + ", " + when).str(), std::move(error));
}

/// Checks that the programs are sound by themselves and with each other.
llvm::Expected<Certificate> checkPrograms(const Graph &graph, llvm::ArrayRef<const plan::Program *> byTp,
                                          const CertifyOptions &options) {
  if (int64_t(byTp.size()) != options.tp) return problem("plan", "it has not one program for each tp rank");
  Certificate certificate;
  for (const plan::Program *program : byTp) {
    if (llvm::Error error = checkProgram(*program, options.tp, options.dp)) return error;
    if (llvm::Error error = checkSections(graph, *program)) return error;
    for (const plan::Section &section : program->sections())
      certificate.instructions += section.instructions_size();
    ++certificate.programs;
  }
  if (llvm::Error error = checkWorld(byTp)) return error;
  return certificate;
}

llvm::Expected<TpRanks> beginStep(Proof &proof, llvm::ArrayRef<const plan::Program *> byTp) {
  TpRanks ranks;
  for (auto [number, program] : indexed(byTp)) {
    ranks.push_back(std::make_unique<TpRank>(proof, *program, int64_t(number)));
    if (llvm::Error error = beginStep(*ranks.back()))
      return atRank(*ranks.back(), "at the beginning of a step", std::move(error));
  }
  return ranks;
}

llvm::Error proveSection(Proof &proof, const TpRanks &ranks, llvm::StringRef name) {
  const auto &all = ranks[0]->program.sections(); // which every rank has in the same order
  const int number =
      int(llvm::find_if(all, [&](const plan::Section &section) { return section.name() == name; }) - all.begin());
  for (const auto &rank : ranks)
    if (llvm::Error error = enterSection(*rank, rank->program.sections(number)))
      return atRank(*rank, "before " + name, std::move(error));
  if (llvm::Error error = walkSection(proof, ranks, number)) return error;
  for (const auto &rank : ranks)
    if (llvm::Error error = leaveSection(*rank, rank->program.sections(number)))
      return atRank(*rank, "at the end of " + name, std::move(error));
  return llvm::Error::success();
}

/// Proves these sections, one after the other, from the beginning of a step. Returns what they leave.
llvm::Expected<TpRanks> proveSections(Proof &proof, llvm::ArrayRef<const plan::Program *> byTp,
                                      llvm::ArrayRef<llvm::StringRef> names) {
  llvm::Expected<TpRanks> ranks = beginStep(proof, byTp);
  if (!ranks) return ranks.takeError();
  if (hasBatchStatistics(proof.graph))
    if (llvm::Error error = proveSection(proof, *ranks, "batch_statistics")) return error;
  for (llvm::StringRef name : names)
    if (llvm::Error error = proveSection(proof, *ranks, name)) return error;
  return ranks;
}

llvm::Error proveStep(Proof &proof, llvm::ArrayRef<const plan::Program *> byTp) {
  llvm::Expected<TpRanks> ranks = proveSections(proof, byTp, {"micro_step", "optimizer_step"});
  if (!ranks) return ranks.takeError();
  for (const auto &rank : *ranks)
    if (llvm::Error error = endStep(*rank)) return atRank(*rank, "at the end of a step", std::move(error));
  return llvm::Error::success();
}

bool isDropout(const Node &node) { return node.is("dropout"); }

/// Returns the graph whose dropouts let everything through, also in the backward.
Graph withoutDropout(const Graph &graph) {
  Graph copy = graph;
  for (NodeId id : graph.order())
    if (isDropout(graph.node(id))) {
      copy.replaceAllUses(copy.node(id).results[0], copy.node(id).operands[0]);
      copy.erase(id);
    }
  return copy;
}

llvm::Error proveEvaluation(Proof &proof, llvm::ArrayRef<const plan::Program *> byTp) {
  return proveSections(proof, byTp, {"evaluate"}).takeError();
}

} // namespace

llvm::Expected<Certificate> certify(const Graph &graph, llvm::ArrayRef<const plan::Program *> byTp,
                                    const CertifyOptions &options) {
  llvm::Expected<Certificate> certificate = checkPrograms(graph, byTp, options);
  if (!certificate) return certificate.takeError();
  Proof proof(graph, options);
  if (llvm::Error error = proveStep(proof, byTp)) return error;
  auto isDropoutAt = [&](NodeId id) { return isDropout(graph.node(id)); };
  if (llvm::none_of(graph.order(), isDropoutAt)) {
    if (llvm::Error error = proveEvaluation(proof, byTp)) return error;
    return certificate;
  }
  const Graph evaluated = withoutDropout(graph);
  Proof proofOfEvaluated(evaluated, options);
  if (llvm::Error error = proveEvaluation(proofOfEvaluated, byTp)) return error;
  return certificate;
}

} // namespace autotp
