#include "passes/import/program_sources.h"

#include "compiler/ir/graph.h"

namespace autotp {

SourceNames::SourceNames(const ExporterFacts &facts) {
  for (const auto &[initializer, said] : facts.tensors) {
    if (said.kind && kindOfPlaceholder(said.placeholder))
      known_[llvm::StringRef(said.placeholder).drop_front(2)] = initializer;
    addModulesOf(initializer);
    for (const std::string &name : said.foldedFrom) {
      known_.try_emplace(flat(name), name);
      addModulesOf(name);
    }
  }
  for (const ProgramSource &source : facts.sources)
    declared_[source.placeholder] = source.name;
}

void SourceNames::addModulesOf(llvm::StringRef name) {
  for (size_t dot = name.find('.'); dot != llvm::StringRef::npos; dot = name.find('.', dot + 1))
    modules_.try_emplace(flat(name.take_front(dot)), name.take_front(dot));
}

std::string SourceNames::nameOf(llvm::StringRef placeholder, const ProgramCall &call, llvm::StringRef like) const {
  llvm::StringRef name = placeholder.drop_front(2);
  if (auto at = known_.find(name); at != known_.end()) return at->second;
  if (auto at = declared_.find(placeholder); at != declared_.end()) return at->second;
  auto within = [&](llvm::StringRef module, llvm::StringRef leaf) {
    llvm::StringRef spelled = like.rsplit('.').second;
    return module.str() + "." + (flat(spelled) == leaf ? spelled : leaf).str();
  };
  for (const std::string &scope : llvm::reverse(call.scopes)) {
    llvm::StringRef leaf = name;
    if (!scope.empty() && leaf.consume_front(flat(scope)) && leaf.consume_front("_")) return within(scope, leaf);
  }
  for (size_t end = name.rfind('_'); end != llvm::StringRef::npos && end > 0; end = name.rfind('_', end))
    if (auto at = modules_.find(name.take_front(end)); at != modules_.end())
      return within(at->second, name.drop_front(end + 1));
  return name.str();
}

llvm::StringSet<> heldSources(const Graph &graph, const ExporterFacts &facts, const ProgramNames &names) {
  llvm::StringSet<> held;
  llvm::StringSet<> namesOfHeld; // as placeholders spell them
  for (ValueId id : graph.sources(ValueKind::Parameter)) {
    const std::string &name = graph.value(id).name;
    namesOfHeld.insert(flat(name));
    auto said = facts.tensors.find(name);
    if (said == facts.tensors.end()) continue;
    held.insert(said->second.placeholder);
    for (const std::string &from : said->second.foldedFrom)
      namesOfHeld.insert(flat(from));
  }
  for (const auto &[initializer, uses] : names.uses)
    for (const NamedUse &use : uses)
      if (use.kind == NamedUse::Kind::Source) held.insert(use.name);
  for (const DroppedBias &bias : names.dropped)
    held.insert(bias.placeholder);
  auto addIfNamed = [&](llvm::StringRef placeholder, llvm::StringRef name) {
    if (namesOfHeld.contains(flat(name))) held.insert(placeholder);
  };
  for (const ProgramSource &source : facts.sources)
    addIfNamed(source.placeholder, source.name);
  for (const ProgramCall &call : facts.calls)
    for (const std::string &argument : call.arguments)
      for (llvm::StringRef name : namesIn(argument))
        if (kindOfPlaceholder(name)) addIfNamed(name, name.drop_front(2));
  return held;
}

} // namespace autotp
