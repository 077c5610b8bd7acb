#include "passes/stage_text.h"

#include "compiler/ir/print.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pass.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/program_text.h"

#include "llvm/Support/FormatVariadic.h"

namespace autotp {
namespace {

std::string graphText(const Graph &graph, const Annotate &annotate) {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(graph, os, annotate);
  return os.str();
}

std::string axesText(const CompiledModel &compiled) {
  AxisNames names(compiled.graph, compiled.placement.axes);
  return graphText(compiled.graph, [&](ValueId value) { return names.text(value); });
}

/// One line for each of the findings.
template <typename T> std::string linePerFinding(const std::vector<T> &findings) {
  std::string text;
  for (const T &finding : findings)
    text += textOf(finding) + "\n";
  return text;
}

/// One line for each axis of a parameter, in the order of the decisions.
std::string choiceText(const CompiledModel &compiled) {
  std::string text;
  for (const AxisDecision &d : compiled.placement.chosen.decisions)
    text += llvm::formatv("{0} of size {1}: {2}\n", d.name, d.size, d.isChosen ? "on tp" : "whole, " + d.reason);
  return text;
}

std::string placedText(const CompiledModel &compiled) {
  const TpPlacement &p = compiled.placement;
  return graphText(compiled.graph, [&](ValueId value) {
    std::string text;
    for (AxisId term : p.axes.values[value]) {
      text += text.empty() ? " @[" : ", ";
      text += isSharded(p.axes.arena, term, p.chosen.assignment) ? "tp" : "_";
    }
    text += text.empty() ? "" : "]";
    if (p.reductions.isPartial[value]) text += p.reductions.isReduced[value] ? " reduced(tp)" : " partial(tp)";
    return text;
  });
}

std::string addressText(const Address &address) {
  std::string text = " @" + std::to_string(address.offset);
  return address.dpStride ? text + "+dp*" + std::to_string(address.dpStride) : text;
}

void addSections(std::vector<StageText> &texts, const std::string &rank, const RankProgram &program,
                 const MemoryPlan *memory) {
  for (const auto &[i, section] : indexed(program.sections()))
    if (!section->graph.outputs.empty())
      texts.push_back({rank + ", " + section->name, graphText(section->graph, [&, s = i](ValueId value) {
                         return memory ? addressText(memory->values[s][value]) : "";
                       })});
}

std::string programText(const plan::Program &program) {
  std::string text;
  for (const std::string &line : linesOf(program, /*hasAddresses=*/true))
    text += line + "\n";
  return text;
}

std::vector<StageText> rankTexts(Form form, const TpRanks &ranks, unsigned r) {
  const std::string rank = "tp rank " + std::to_string(r);
  std::vector<StageText> texts;
  if (form == Form::Local) texts.push_back({rank, printed(ranks.locals[r].graph)});
  if (form == Form::Scheduled) addSections(texts, rank, ranks.programs[r], nullptr);
  if (form == Form::Addressed) addSections(texts, rank, ranks.programs[r], &ranks.memory[r]);
  if (form == Form::Emitted) texts.push_back({rank, programText(ranks.emitted[r])});
  return texts;
}

} // namespace

std::vector<StageText> stageTexts(const Pass &pass, const PassState &state) {
  const CompiledModel &c = state.compiled;
  if (pass.name == "classify-parameters") return {{"", linePerFinding(c.evidence.initializers)}};
  if (pass.name == "input-roles") return {{"", linePerFinding(c.training.inputs)}};
  if (pass.name == "find-axes") return {{"", axesText(c)}};
  if (pass.name == "choose-axes") return {{"", choiceText(c)}};
  if (pass.leaves <= Form::Training) return {{"", printed(c.graph)}};
  if (pass.leaves == Form::Placed) return {{"", placedText(c)}};
  if (pass.leaves == Form::Proven)
    return {{"", llvm::formatv("{0} instructions of {1} programs proven\n", c.certificate->instructions,
                               c.certificate->programs)}};
  std::vector<StageText> texts;
  for (int r = 0; r < state.options.step.tp; ++r)
    llvm::append_range(texts, rankTexts(pass.leaves, c.ranks, unsigned(r)));
  return texts;
}

} // namespace autotp
