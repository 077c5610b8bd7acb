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

llvm::Error checkSections(const Graph &graph, const plan::Program &program) {
  llvm::SmallVector<llvm::StringRef, 3> wanted = {"micro_step", "optimizer_step"};
  if (llvm::any_of(graph.outputs, [](const Output &output) { return isBatchStatistic(output.name); }))
    wanted.insert(wanted.begin(), "batch_statistics");
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

llvm::Error proveSection(Proof &proof, const TpRanks &ranks, int number) {
  const plan::Section &section = ranks[0]->program.sections(number);
  for (const auto &rank : ranks)
    if (llvm::Error error = enterSection(*rank, section))
      return atRank(*rank, "before " + section.name(), std::move(error));
  if (llvm::Error error = walkSection(proof, ranks, number)) return error;
  for (const auto &rank : ranks)
    if (llvm::Error error = leaveSection(*rank, section))
      return atRank(*rank, "at the end of " + section.name(), std::move(error));
  return llvm::Error::success();
}

} // namespace

llvm::Expected<Certificate> certify(const Graph &graph, llvm::ArrayRef<const plan::Program *> byTp,
                                    const CertifyOptions &options) {
  llvm::Expected<Certificate> certificate = checkPrograms(graph, byTp, options);
  if (!certificate) return certificate.takeError();
  Proof proof(graph, options);
  TpRanks ranks;
  for (auto [number, program] : indexed(byTp)) {
    ranks.push_back(std::make_unique<TpRank>(proof, *program, int64_t(number)));
    if (llvm::Error error = beginStep(*ranks.back()))
      return atRank(*ranks.back(), "at the beginning of a step", std::move(error));
  }
  for (int section = 0; section < byTp[0]->sections_size(); ++section)
    if (llvm::Error error = proveSection(proof, ranks, section)) return error;
  for (const auto &rank : ranks)
    if (llvm::Error error = endStep(*rank)) return atRank(*rank, "at the end of a step", std::move(error));
  return certificate;
}

} // namespace autotp
