#include "passes/run_passes.h"

#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pass.h"
#include "passes/stage_text.h"
#include "passes/verify_form.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/Support/FormatVariadic.h"

#include <chrono>

namespace autotp {
namespace {

bool isLeftOut(const Pass &pass, const PassState &state) {
  const CompileOptions &options = state.options;
  return (pass.is(kOfForwards) && state.imported.hasGradients) || (pass.is(kRecognition) && !options.recognise) ||
         (pass.is(kOptional) && options.skipped.count(pass.name.str()) != 0);
}

llvm::Error runOne(const Pass &pass, PassState &state) {
  if (const auto *onGraph = std::get_if<GraphPass>(&pass.run)) return (*onGraph)(state.compiled.graph, state);
  if (const auto *onModel = std::get_if<ModelPass>(&pass.run)) return (*onModel)(state);
  for (int r = 0; r < state.options.step.tp; ++r)
    if (llvm::Error error = std::get<RankPass>(pass.run)(state, unsigned(r))) return error;
  return llvm::Error::success();
}

/// Prints and dumps what the pass left, if that was asked for. `row` is the place of the pass in the list, with which
/// names of dumped files begin.
llvm::Error show(const Pass &pass, size_t row, const PassState &state) {
  const LookInto &look = state.options.look;
  const bool isPrinted = look.printTo && (look.printAfter == "all" || look.printAfter == pass.name);
  if (!isPrinted && !look.dumpTo) return llvm::Error::success();
  for (const StageText &text : stageTexts(pass, state)) {
    const std::string part = text.part.empty() ? "" : " (" + text.part + ")";
    if (isPrinted) *look.printTo << "# after " << pass.name << part << "\n" << text.text;
    if (!look.dumpTo) continue;
    std::string name = llvm::formatv("{0,0+2}-{1}{2}.txt", row, pass.name, text.part.empty() ? "" : "." + text.part);
    for (auto [from, to] : {std::pair(", ", "."), {" ", "_"}})
      for (size_t at; (at = name.find(from)) != std::string::npos;)
        name.replace(at, llvm::StringRef(from).size(), to);
    auto written = look.dumpTo->write(name, [&](llvm::raw_ostream &os) { os << text.text; });
    if (!written) return written.takeError();
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error runPasses(llvm::ArrayRef<Pass> passes, PassState &state) {
  for (const auto &[row, pass] : indexed(passes)) {
    if (isLeftOut(pass, state)) continue;
    const auto begin = std::chrono::steady_clock::now();
    if (llvm::Error error = runOne(pass, state)) return error;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    state.compiled.times.push_back({pass.name.str(), time.count()});
    if (llvm::Error error = show(pass, row, state)) return error;
    if (llvm::Error error = verifyForm(pass.leaves, state))
      return llvm::joinErrors(
          problem(pass.name, "this pass left a broken model", "report this as a bug, with the model"),
          std::move(error));
    state.form = pass.leaves;
    if (state.options.look.stopAfter == pass.name) break;
  }
  return llvm::Error::success();
}

} // namespace autotp
