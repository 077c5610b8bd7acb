#include "passes/options/options_page.h"

#include "passes/options/compile_row.h"
#include "passes/options/option_rows.h"
#include "runtime/options/option_tables.h"

namespace autotp {
namespace {

std::string manifestKeyOf(const OptionRow &row) {
  const CompileRow &r = compileRow(row);
  if (r.field) return codeCell(keyOf(*r.field));
  return r.key.empty() ? "" : codeCell("source." + r.key.str());
}

std::string deepSpeedKeyOf(const OptionRow &row) { return codeCell(compileRow(row).deepSpeed); }

std::string changesOf(const OptionRow &row) {
  switch (compileRow(row).changes) {
  case Changes::Nothing:
    return "";
  case Changes::Plan:
    return "plan";
  case Changes::Graph:
    return "graph";
  }
  return "";
}

constexpr llvm::StringLiteral kHead =
    "# Options\n"
    "Every option of `autotp-compile` and `autotp-run`, with all that is known of it, written from their rows by\n"
    "`tests/passes/options/options_page_test.cpp` (`UPDATE_GOLDEN=1` rewrites this page).\n"
    "\n"
    "## autotp-compile\n"
    "*Changes*: `graph` is the global graph or the update of a step: the manifest records the option, and `autotp-plan "
    "verify`\n"
    "makes the graph again from what it records. `plan` is what the ranks run, which is proven against that graph. "
    "*Manifest*\n"
    "is the key of `manifest.json` that holds it. *DeepSpeed* is the key of DeepSpeed's configuration (`--ds-config`) "
    "that says the\n"
    "same; a flag overrules it.\n";

} // namespace

std::string optionsPage(llvm::ArrayRef<OptionSection> ofRuns) {
  const TableColumn columns[] = {{"changes", changesOf}, {"manifest", manifestKeyOf}, {"DeepSpeed", deepSpeedKeyOf}};
  return kHead.str() + optionTables(optionSections(), columns) + "\n## autotp-run\n" + optionTables(ofRuns);
}

} // namespace autotp
