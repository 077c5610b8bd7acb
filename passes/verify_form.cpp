#include "passes/verify_form.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/verify.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pass.h"
#include "passes/shard/check_reductions.h"
#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

llvm::Error verifyGradients(const Graph &graph) {
  llvm::StringSet<> outputs;
  for (const Output &output : graph.outputs)
    outputs.insert(output.name);
  llvm::Error errors = llvm::Error::success();
  for (const ParameterInfo &parameter : graph.parameters)
    if (const std::string &name = graph.value(parameter.value).name; !outputs.contains(gradientName(name)))
      errors = llvm::joinErrors(std::move(errors), problem(name, "this parameter has no gradient"));
  return errors;
}

/// Verifies every section of a rank.
llvm::Error verifySections(const RankProgram &program) {
  llvm::Error errors = llvm::Error::success();
  for (const Section *section : program.sections())
    errors = llvm::joinErrors(std::move(errors), verify(section->graph));
  return errors;
}

llvm::Error verifyAddresses(const RankProgram &program, const MemoryPlan &memory) {
  llvm::Error errors = llvm::Error::success();
  for (const auto &[section, values] : llvm::zip(program.sections(), memory.values))
    for (ValueId id = 0; id < values.size(); ++id)
      if (values[id].offset > memory.arenaBytes)
        errors = llvm::joinErrors(std::move(errors), problem(section->graph.value(id).name,
                                                             "this value lies beyond the arena, in " + section->name));
  return errors;
}

llvm::Error verifyRank(Form form, const TpRanks &ranks, unsigned r) {
  switch (form) {
  case Form::Local:
    return verify(ranks.locals[r].graph);
  case Form::Scheduled:
    return verifySections(ranks.programs[r]);
  case Form::Addressed:
    return verifyAddresses(ranks.programs[r], ranks.memory[r]);
  case Form::Emitted:
    return checkCalls(ranks.emitted[r]);
  default:
    return llvm::Error::success();
  }
}

} // namespace

llvm::Error verifyForm(Form form, const PassState &state) {
  const CompiledModel &c = state.compiled;
  if (form <= Form::Training) {
    if (llvm::Error error = verify(c.graph)) return error;
    return form == Form::Training ? verifyGradients(c.graph) : llvm::Error::success();
  }
  if (form == Form::WithAxes || form == Form::Chosen) return llvm::Error::success();
  if (form == Form::Placed)
    return checkReductions(c.graph, c.placement.axes, c.placement.chosen.assignment, c.placement.reductions,
                           c.placement.region ? &*c.placement.region : nullptr);
  if (form == Form::Proven) return llvm::Error::success(); // the pass itself is the proof
  llvm::Error errors = llvm::Error::success();
  for (int r = 0; r < state.options.step.tp; ++r)
    errors = llvm::joinErrors(std::move(errors),
                              placed("tp rank " + std::to_string(r), verifyRank(form, c.ranks, unsigned(r))));
  return errors;
}

} // namespace autotp
