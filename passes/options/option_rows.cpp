#include "passes/options/option_rows.h"

#include "passes/options/option_row.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

namespace autotp {
namespace {

bool isNumber(OptionKind kind) {
  return kind == OptionKind::Integer || kind == OptionKind::Real || kind == OptionKind::Sizes;
}

bool isWhole(const OptionMember &member) { return member.get && member.set; }

/// What is wrong with a row by itself.
std::vector<std::string> faultsOfRow(const OptionRow &row) {
  std::vector<std::string> faults;
  auto require = [&](bool holds, const char *fault) {
    if (!holds) faults.push_back(fault);
  };
  require(!row.name().empty(), "it has neither a flag nor a key");
  require(isWhole(row.member), "it has no member");
  require(!row.help.empty(), "it has no help");
  if (!faults.empty()) return faults;
  require(isNumber(row.kind()) || row.range.least < -1e300, "it has a range, and is no number");
  require(row.range.least <= row.range.most, "its range is empty");
  require((row.member.kind == OptionKind::Word) == !row.words.empty(),
          "it has words that it does not take, or lacks some");
  require(!row.recorded.get == !row.recorded.set, "what is recorded cannot be read back");
  require((row.changes == Changes::Graph) == (!row.key.empty() || row.field) || row.changes == Changes::Plan,
          "it changes the graph and is not recorded, or is recorded for nothing");
  require(!row.is(kNegated) || (row.flag.startswith("no-") && row.kind() == OptionKind::Switch), "it negates nothing");
  require(row.kind() == OptionKind::Switch || row.kind() == OptionKind::Word || row.flag.empty() ||
              !row.placeholder.empty(),
          "its value has no placeholder");
  return faults;
}

} // namespace

llvm::ArrayRef<OptionSection> optionSections() {
  static const OptionSection sections[] = {fileOptions(), modelOptions(),     parameterOptions(),
                                           meshOptions(), optimizerOptions(), lookOptions()};
  return sections;
}

llvm::ArrayRef<const OptionRow *> optionRows() {
  static const std::vector<const OptionRow *> rows = [] {
    std::vector<const OptionRow *> all;
    for (const OptionSection &section : optionSections())
      for (const OptionRow &row : section.rows)
        all.push_back(&row);
    return all;
  }();
  return rows;
}

const OptionRow &optionNamed(llvm::StringRef name) {
  auto at = llvm::find_if(optionRows(), [&](const OptionRow *row) { return row->name() == name; });
  assert(at != optionRows().end());
  return **at;
}

std::string faultsOf(llvm::ArrayRef<const OptionRow *> rows) {
  std::string text;
  llvm::StringSet<> names, keys;
  for (const OptionRow *row : rows) {
    std::vector<std::string> faults = faultsOfRow(*row);
    if (!names.insert(row->name()).second) faults.push_back("another row has its name");
    const llvm::StringRef key = row->field ? keyOf(*row->field) : row->key;
    if (!key.empty() && !keys.insert(key).second) faults.push_back("another row has its key");
    for (const std::string &fault : faults)
      text += row->name().str() + ": " + fault + "\n";
  }
  return text;
}

} // namespace autotp
