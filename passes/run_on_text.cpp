#include "passes/run_on_text.h"

#include "compiler/ir/parse.h"
#include "compiler/ops/verify.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pass.h"
#include "passes/pipeline.h"
#include "passes/run_passes.h"
#include "passes/stage_text.h"
#include "passes/verify_form.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

llvm::Error refuse(llvm::StringRef what, llvm::StringRef remedy) { return problem("--pass", what, remedy); }

/// The rows of these passes. Errors: no pass has such a name, or one needs another form than the one before it leaves.
llvm::Expected<std::vector<Pass>> passesOf(llvm::ArrayRef<std::string> names) {
  std::vector<Pass> chosen;
  for (const std::string &name : names) {
    const Pass *row = llvm::find_if(allPasses(), [&](const Pass &pass) { return pass.name == name; });
    if (row == allPasses().end() || row->needs == Form::File)
      return refuse("no pass on graphs is called '" + escaped(name) + "'",
                    "there are: " + llvm::join(passNames(), ", "));
    const bool beginsOnText = row->needs <= Form::Training || row->is(kOnText);
    const bool follows = !chosen.empty() && row->needs == chosen.back().leaves &&
                         (chosen.front().needs <= Form::Training || row->is(kOnText));
    if (chosen.empty() ? !beginsOnText : !follows)
      return refuse("'" + name + "' does not work on what " +
                        (chosen.empty() ? "a text says" : "'" + chosen.back().name.str() + "' leaves"),
                    "name the passes before it, too, in this order: " + llvm::join(passNames(), ", "));
    chosen.push_back(*row);
  }
  if (chosen.empty()) return refuse("no pass is named", "there are: " + llvm::join(passNames(), ", "));
  return chosen;
}

/// Checks that every constant has contents, which passes read; a text that was printed for people has only digests.
llvm::Error checkContents(const Graph &graph) {
  for (ValueId id : graph.sources(ValueKind::Constant))
    if (!graph.value(id).contents)
      return problem("constant %" + graph.value(id).name, "its contents are left out of the text",
                     "write them out, as in {1, 2}");
  return llvm::Error::success();
}

/// Puts the graph where passes that need this form look for it.
void place(Graph graph, Form form, PassState &state) {
  TpRanks &ranks = state.compiled.ranks;
  for (int r = 0; r < state.options.step.tp && form >= Form::Local; ++r) {
    LocalProgram local;
    local.graph = graph;
    local.tpRank = r;
    RankProgram program;
    program.microStep.name = "micro_step";
    program.microStep.graph = graph;
    for (const Output &output : graph.outputs)
      if (llvm::StringRef(output.name).startswith("state:")) program.microStep.stateSlices[output.value] = {};
    program.optimizerStep.name = "optimizer_step";
    ranks.locals.push_back(std::move(local));
    if (form >= Form::Scheduled) ranks.programs.push_back(std::move(program));
  }
  state.compiled.graph = std::move(graph);
  state.form = form;
}

} // namespace

llvm::Expected<std::string> runOnText(llvm::StringRef text, llvm::ArrayRef<std::string> names,
                                      const CompileOptions &options) {
  llvm::Expected<std::vector<Pass>> passes = passesOf(names);
  if (!passes) return passes.takeError();
  llvm::Expected<Graph> graph = parse(text, [](llvm::StringRef name) {
    const OpDef *row = findOp(name);
    return row ? llvm::StringRef(row->name) : llvm::StringRef();
  });
  if (!graph) return graph.takeError();
  if (!llvm::is_contained(names, "classify-parameters"))
    for (ValueId id : graph->sources(ValueKind::Parameter))
      graph->parameters.push_back({id, {}});
  if (llvm::Error error = verify(*graph)) return error;
  if (llvm::Error error = checkContents(*graph)) return error;
  CompiledModel compiled;
  PassState state{options, compiled};
  state.microBatch = options.import.microBatch;
  place(std::move(*graph), passes->front().needs, state);
  state.imported.initializers = compiled.graph.sources(ValueKind::Parameter);
  if (passes->front().needs == Form::Training && passes->back().leaves >= Form::Scheduled)
    if (llvm::Error error = verifyForm(Form::Training, state)) return error; // buckets are filled with gradients
  if (llvm::Error error = runPasses(*passes, state)) return error;
  std::string left;
  const std::vector<StageText> stages = stageTexts(passes->back(), state);
  for (const StageText &stage : stages)
    left += (stages.size() > 1 ? "# " + stage.part + "\n" : "") + stage.text;
  return left;
}

} // namespace autotp
