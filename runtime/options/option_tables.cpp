#include "runtime/options/option_tables.h"

#include "runtime/options/option_values.h"

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
  if (const std::string *text = std::get_if<std::string>(&value)) return *text;
  return ""; // switches are off, and nothing is named
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
  if (!row.only.empty()) text += (" (of " + row.only + ")").str();
  if (!row.words.empty()) text += ". " + wordsOf(row);
  if (!row.detail.empty()) text += (". " + row.detail).str();
  return text;
}

/// Of a number: "1 to 4096", "0 or more".
std::string rangeOf(const OptionRow &row) {
  const auto [least, most, isMostExcluded] = row.range;
  if (!std::isfinite(least)) return "";
  if (!std::isfinite(most)) return numberText(least) + " or more";
  return numberText(least) + (isMostExcluded ? " to below " : " to ") + numberText(most);
}

} // namespace

std::string defaultOf(const OptionRow &row) {
  return row.defaultText.empty() ? textOf(row, row.member.initial()) : row.defaultText.str();
}

std::string helpOf(const OptionRow &row) {
  const std::string initial = defaultOf(row);
  std::string text = row.help.str();
  if (!row.only.empty() && initial.empty()) text = (row.only + ": " + text).str();
  const bool isWord = llvm::any_of(row.words, [&](const OptionWord &word) { return word.name == initial; });
  return initial.empty() || isWord ? text : text + " (default: " + initial + ")";
}

std::string usageOf(const OptionRow &row) {
  if (row.flag.empty()) return row.placeholder.str();
  const std::string value = row.words.empty() ? row.placeholder.str() : llvm::join(wordNames(row), "|");
  return value.empty() ? flagText(row) : flagText(row) + " " + value;
}

std::string tableCell(llvm::StringRef text) {
  std::string cell;
  for (char c : text)
    (c == '|' ? cell += '\\' : cell) += c;
  return cell;
}

std::string codeCell(llvm::StringRef text) { return text.empty() ? "" : "`" + tableCell(text) + "`"; }

std::string flagTable(llvm::ArrayRef<OptionSection> sections) {
  std::string text = "| flag | meaning | default |\n|---|---|---|\n";
  for (const OptionSection &section : sections)
    for (const OptionRow *row : section.rows)
      if (!row->flag.empty())
        text += llvm::formatv("| {0} | {1} | {2} |\n", codeCell(usageOf(*row)), tableCell(meaningOf(*row)),
                              tableCell(defaultOf(*row)))
                    .str();
  return text;
}

std::string optionTables(llvm::ArrayRef<OptionSection> sections, llvm::ArrayRef<TableColumn> more) {
  std::string head = "| option | meaning | range | default |", line = "|---|---|---|---|", text;
  for (const TableColumn &column : more) {
    head += (" " + column.title + " |").str();
    line += "---|";
  }
  head += "\n" + line + "\n";
  for (const OptionSection &section : sections) {
    text += "\n### " + section.title.str() + "\n" + head;
    for (const OptionRow *row : section.rows) {
      const std::string usage = usageOf(*row);
      text += llvm::formatv("| {0} | {1} | {2} | {3} |", usage.empty() ? "(no flag)" : codeCell(usage),
                            tableCell(meaningOf(*row)), rangeOf(*row), tableCell(defaultOf(*row)))
                  .str();
      for (const TableColumn &column : more)
        text += " " + column.cell(*row) + " |";
      text += "\n";
    }
  }
  return text;
}

} // namespace autotp
