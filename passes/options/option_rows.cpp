#include "passes/options/option_rows.h"

#include "passes/options/compile_row.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

namespace autotp {
namespace {

/// What is wrong with a row by itself.
std::vector<std::string> faultsOfRow(const CompileRow &row) {
  if (row.name().empty()) return {"it has neither a flag nor a key"};
  std::vector<std::string> faults = faultsOf(static_cast<const OptionRow &>(row));
  if (!row.recorded.get != !row.recorded.set) faults.push_back("what is recorded cannot be read back");
  if ((row.changes == Changes::Graph) != (!row.key.empty() || row.field) && row.changes != Changes::Plan)
    faults.push_back("it changes the graph and is not recorded, or is recorded for nothing");
  return faults;
}

} // namespace

llvm::ArrayRef<OptionSection> optionSections() {
  static const OptionSection sections[] = {fileOptions(), modelOptions(),     parameterOptions(),
                                           meshOptions(), optimizerOptions(), lookOptions()};
  return sections;
}

llvm::ArrayRef<const CompileRow *> optionRows() {
  static const std::vector<const CompileRow *> rows = [] {
    std::vector<const CompileRow *> all;
    for (const OptionSection &section : optionSections())
      for (const OptionRow *row : section.rows)
        all.push_back(&compileRow(*row));
    return all;
  }();
  return rows;
}

const CompileRow *findOption(llvm::StringRef name) {
  auto at = llvm::find_if(optionRows(), [&](const CompileRow *row) { return row->name() == name; });
  return at == optionRows().end() ? nullptr : *at;
}

const CompileRow &optionNamed(llvm::StringRef name) {
  const CompileRow *row = findOption(name);
  assert(row);
  return *row;
}

std::string faultsOf(llvm::ArrayRef<const CompileRow *> rows) {
  std::string text;
  llvm::StringSet<> names, keys;
  for (const CompileRow *row : rows) {
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
