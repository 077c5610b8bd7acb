#include "passes/report/parameters.h"

#include "passes/compiled_model.h"
#include "passes/report/module_names.h"
#include "passes/report/summary.h"
#include "runtime/base/error.h"

#include <map>

namespace autotp {
namespace {

void printNames(llvm::StringRef title, llvm::ArrayRef<std::string> names, llvm::StringRef what, llvm::raw_ostream &os) {
  if (names.empty()) return;
  os << llvm::left_justify(title, 12) << escaped(names[0]);
  if (names.size() > 1) os << " and " << names.size() - 1 << " more";
  os << ": " << what << "\n";
}

} // namespace

void printTrained(const CompiledModel &compiled, llvm::raw_ostream &os) {
  std::map<EvidenceKind, int> counts;
  for (const ClassifiedInitializer &initializer : compiled.evidence.initializers)
    if (initializer.isTrained) ++counts[initializer.evidence];
  os << "trained     ";
  llvm::ListSeparator comma;
  for (const auto &[kind, count] : counts)
    os << comma << count << " by " << nameOf(kind);
  os << " (--explain parameters lists them)\n";
  printNames("separated", compiled.evidence.separated, "the exporter had merged it with others of equal contents", os);
  printNames("note", compiled.evidence.unknownNames, "listed by --parameters, and no parameter of the graph", os);
  printNames("note", compiled.evidence.perhapsPadding,
             "it holds zeros; if it is a padding_idx, which only dynamo's export says, it is not to be trained", os);
  printNames("restored", compiled.evidence.restored,
             "the exporter had dropped a bias of zeros, or looked up rows of a table", os);
}

void printConstants(const CompiledModel &compiled, llvm::raw_ostream &os) {
  std::map<std::string, std::pair<int, std::string>> byReason; // their number, and the name of the first
  for (const ClassifiedInitializer &initializer : compiled.evidence.initializers)
    if (!initializer.isTrained && !initializer.isNumber)
      ++byReason
            .try_emplace((nameOf(initializer.evidence) + ": " + initializer.why).str(), 0,
                         initializer.name + " " + initializer.type)
            .first->second.first;
  for (const auto &[reason, row] : byReason) {
    os << "constant    " << escaped(row.second);
    if (row.first > 1) os << " and " << row.first - 1 << " more";
    os << ": not trained (" << escaped(reason) << ")\n";
  }
}

llvm::json::Array initializersJson(const CompiledModel &compiled) {
  llvm::json::Array all;
  for (const ClassifiedInitializer &initializer : compiled.evidence.initializers)
    all.push_back(llvm::json::Object{{"name", initializer.name},
                                     {"type", initializer.type},
                                     {"trained", initializer.isTrained},
                                     {"evidence", nameOf(initializer.evidence).str()},
                                     {"why", initializer.why}});
  return all;
}

void explainParameters(const CompiledModel &compiled, llvm::raw_ostream &os) {
  for (const ClassifiedInitializer &initializer : compiled.evidence.initializers)
    os << textOf(initializer, moduleNameOf(compiled, initializer.name)) << "\n";
}

} // namespace autotp
