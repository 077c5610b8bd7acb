#include "passes/options/options_page.h"

#include "passes/options/option_row.h"
#include "passes/options/option_rows.h"
#include "passes/options/option_values.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

namespace autotp {
namespace {

std::string textOf(const OptionRow &row, const OptionValue &value) {
  if (const int64_t *whole = std::get_if<int64_t>(&value)) {
    for (const OptionWord &word : row.words)
      if (word.value == *whole) return word.name.str();
    return std::to_string(*whole);
  }
  if (const double *real = std::get_if<double>(&value)) return numberText(*real);
  return ""; // switches are off, and nothing is named
}

/// Optimizers of one default stand together, in the order of their rows.
std::string defaultOfOptimizers(const OptionRow &row) {
  if (row.kind() == OptionKind::Switch) return "";
  std::vector<std::pair<std::string, std::vector<std::string>>> defaults;
  for (OptimizerKind kind : allOptimizers()) {
    if (row.is(kOfOptimizer) && !hasOption(kind, row.flag)) continue;
    CompileOptions options;
    options.step.optimizer = defaultsOf(kind);
    const std::string text = textOf(row, row.member.get(options));
    auto at = llvm::find_if(defaults, [&](const auto &entry) { return entry.first == text; });
    if (at == defaults.end()) at = defaults.insert(at, {text, {}});
    at->second.push_back(nameOf(kind).str());
  }
  std::vector<std::string> texts;
  for (const auto &[text, optimizers] : defaults)
    texts.push_back(llvm::join(optimizers, ", ") + " " + text);
  return llvm::join(texts, "; ");
}

/// Of an option that some optimizers have.
std::string optimizersOf(const OptionRow &row) {
  std::vector<std::string> names;
  for (OptimizerKind kind : allOptimizers())
    if (hasOption(kind, row.flag)) names.push_back(nameOf(kind).str());
  return llvm::join(names, ", ");
}

/// The words that an option takes and what each is, as one sentence.
std::string wordsOf(const OptionRow &row) {
  std::vector<std::string> words;
  for (const OptionWord &word : row.words)
    if (!word.help.empty()) words.push_back(("`" + word.name + "`: " + word.help).str());
  return llvm::join(words, "; ");
}

std::string meaningOf(const OptionRow &row) {
  std::string text = row.help.str();
  text[0] = llvm::toUpper(text[0]);
  if (row.is(kOfOptimizer)) text += " (of " + optimizersOf(row) + ")";
  if (!row.words.empty()) text += ". " + wordsOf(row);
  if (!row.detail.empty()) text += (". " + row.detail).str();
  return text;
}

/// A cell of a table.
std::string cell(llvm::StringRef text) {
  std::string cell;
  for (char c : text)
    (c == '|' ? cell += '\\' : cell) += c;
  return cell;
}

std::string code(llvm::StringRef text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

std::string manifestKeyOf(const OptionRow &row) {
  if (row.field) return keyOf(*row.field).str();
  return row.key.empty() ? "" : "source." + row.key.str();
}

/// Of a number: "1 to 4096", "0 or more".
std::string rangeOf(const OptionRow &row) {
  const auto [least, most, isMostExcluded] = row.range;
  if (!std::isfinite(least)) return "";
  if (!std::isfinite(most)) return numberText(least) + " or more";
  return numberText(least) + (isMostExcluded ? " to below " : " to ") + numberText(most);
}

std::string changesOf(const OptionRow &row) {
  switch (row.changes) {
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
    "# Options of autotp-compile\n"
    "Every option with all that is known of it, written from the rows of `passes/options` by\n"
    "`tests/passes/options/options_page_test.cpp` (`UPDATE_GOLDEN=1` rewrites this page).\n"
    "\n"
    "*Changes*: `graph` is the global graph or the update of a step: the manifest records the option, and `autotp-plan "
    "verify`\n"
    "makes the graph again from what it records. `plan` is what the ranks run, which is proven against that graph. "
    "*Manifest*\n"
    "is the key of `manifest.json` that holds it. *DeepSpeed* is the key of DeepSpeed's configuration (`--ds-config`) "
    "that says the\n"
    "same; a flag overrules it.\n";

} // namespace

std::string defaultOf(const OptionRow &row) {
  if (!row.defaultText.empty()) return row.defaultText.str();
  if (row.is(kDefaultOfOptimizer)) return defaultOfOptimizers(row);
  return textOf(row, row.member.get(CompileOptions()));
}

std::string helpOf(const OptionRow &row) {
  std::string text = row.help.str();
  const std::string initial = defaultOf(row);
  if (row.is(kOfOptimizer) && initial.empty()) text = optimizersOf(row) + ": " + text;
  const bool isWord = llvm::any_of(row.words, [&](const OptionWord &word) { return word.name == initial; });
  return initial.empty() || isWord ? text : text + " (default: " + initial + ")";
}

std::string usageOf(const OptionRow &row) {
  if (row.is(kPositional)) return row.placeholder.str();
  const std::string flag = (row.flag.size() == 1 ? "-" : "--") + row.flag.str();
  const std::string value = row.words.empty() ? row.placeholder.str() : llvm::join(wordNames(row), "|");
  return value.empty() ? flag : flag + " " + value;
}

std::string flagTable() {
  std::string text = "| flag | meaning | default |\n|---|---|---|\n";
  for (const OptionRow *row : optionRows())
    if (!row->flag.empty())
      text += "| " + code(usageOf(*row)) + " | " + cell(meaningOf(*row)) + " | " + cell(defaultOf(*row)) + " |\n";
  return text;
}

std::string optionsPage() {
  std::string text = kHead.str();
  for (const OptionSection &section : optionSections()) {
    text +=
        "\n## " + section.title.str() + "\n| option | meaning | range | default | changes | manifest | DeepSpeed |\n";
    text += "|---|---|---|---|---|---|---|\n";
    for (const OptionRow &row : section.rows)
      text += llvm::formatv("| {0} | {1} | {2} | {3} | {4} | {5} | {6} |\n",
                            row.flag.empty() && !row.is(kPositional) ? "(no flag)" : code(usageOf(row)),
                            cell(meaningOf(row)), rangeOf(row), cell(defaultOf(row)), changesOf(row),
                            code(manifestKeyOf(row)), code(row.deepSpeed))
                  .str();
  }
  return text;
}

} // namespace autotp
