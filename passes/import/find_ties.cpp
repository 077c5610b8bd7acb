#include "passes/import/find_ties.h"

#include "compiler/ir/graph.h"
#include "passes/import/program_sources.h"

#include <algorithm>
#include <map>

namespace autotp {
namespace {

bool hasOwnName(const Graph &graph, const ExporterFacts &facts, ValueId initializer) {
  auto said = facts.tensors.find(graph.value(initializer).name);
  return said != facts.tensors.end() && said->second.kind;
}

/// Finds the parameter that each initializer is or was viewed from, by the names in calls and by what folding read.
std::vector<Tie> tiesOfProgram(const Graph &graph, const ExporterFacts &facts,
                               llvm::StringMap<std::string> &moduleNames) {
  const SourceNames names(facts);
  llvm::MapVector<ValueId, std::string> parameters;
  const ProgramNames program = nameUses(graph, facts);
  for (const auto &[id, uses] : program.uses)
    for (const NamedUse &use : uses)
      if (use.kind == NamedUse::Kind::Source && !parameters.count(id))
        parameters[id] = names.nameOf(use.name, *facts.callOf(use.use.node), graph.value(id).name);
  for (ValueId id : graph.sources(ValueKind::Parameter))
    if (const FoldedFrom folded = foldedFrom(graph.value(id).name, facts);
        folded.sources.size() == 1 && !parameters.count(id) && !graph.value(id).uses.empty()) {
      moduleNames[graph.value(id).name] = folded.sources[0];
      if (!folded.isFormula) parameters[id] = folded.sources[0];
    }
  std::map<std::string, llvm::SmallVector<ValueId, 2>> initializers; // by parameter
  for (const auto &[id, parameter] : parameters) {
    initializers[parameter].push_back(id);
    if (parameter != graph.value(id).name) moduleNames[graph.value(id).name] = parameter;
  }
  std::vector<Tie> ties;
  for (auto &[parameter, same] : initializers) {
    std::stable_partition(same.begin(), same.end(), [&](ValueId id) { return hasOwnName(graph, facts, id); });
    for (ValueId copy : llvm::ArrayRef<ValueId>(same).drop_front())
      ties.push_back({graph.value(copy).name, graph.value(same[0]).name});
  }
  return ties;
}

/// The modules whose nodes use an initializer.
llvm::SmallVector<llvm::StringRef, 2> modulesOf(const Graph &graph, const ExporterFacts &facts, ValueId initializer) {
  llvm::SmallVector<llvm::StringRef, 2> modules;
  for (Use use : graph.value(initializer).uses)
    if (const NodeFacts *made = facts.of(use.node)) modules.push_back(made->module);
  return modules;
}

/// Whether `path` is `module` itself or a second call of it, as "layers.0.q_1" is of "layers.0.q".
bool isAgain(llvm::StringRef path, llvm::StringRef module) {
  return path == module || (path.consume_front(module) && path.consume_front("_") &&
                            path.find_first_not_of("0123456789") == llvm::StringRef::npos);
}

std::vector<Tie> tiesOfCopies(const Graph &graph, const ExporterFacts &facts) {
  llvm::StringMap<ValueId> byName;
  for (ValueId id : graph.sources(ValueKind::Parameter))
    byName[graph.value(id).name] = id;
  std::vector<Tie> ties;
  for (const TensorCopy &copy : facts.copies) {
    auto one = byName.find(copy.name), of = byName.find(copy.of);
    const bool hasOwnName = !llvm::StringRef(copy.name).startswith("onnx::");
    if (hasOwnName || one == byName.end() || of == byName.end()) continue;
    for (llvm::StringRef path : modulesOf(graph, facts, one->second))
      if (llvm::any_of(modulesOf(graph, facts, of->second), [&](llvm::StringRef module) {
            return !module.empty() && (isAgain(path, module) || isAgain(module, path));
          })) {
        ties.push_back({copy.name, copy.of});
        break;
      }
  }
  return ties;
}

} // namespace

std::vector<Tie> findTies(const Graph &graph, const ExporterFacts &facts, llvm::StringMap<std::string> &moduleNames) {
  std::vector<Tie> ties = tiesOfProgram(graph, facts, moduleNames);
  llvm::append_range(ties, tiesOfCopies(graph, facts));
  return ties;
}

} // namespace autotp
