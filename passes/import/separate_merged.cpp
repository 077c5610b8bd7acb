#include "passes/import/separate_merged.h"

#include "compiler/ir/graph.h"
#include "passes/import/known_tables.h"
#include "passes/import/program_sources.h"

#include "llvm/ADT/StringSet.h"

#include <map>

namespace autotp {
namespace {

class Separator {
public:
  Separator(Graph &graph, ExporterFacts &facts, std::vector<std::string> &separated)
      : graph_(graph), facts_(facts), names_(facts), separated_(separated) {
    for (ValueId id : graph_.sources(ValueKind::Parameter))
      if (auto said = facts_.tensors.find(graph_.value(id).name); said != facts_.tensors.end() && said->second.kind)
        parts_[said->second.placeholder] = id;
    for (const ProgramCall &call : facts_.calls)
      computed_.insert(call.result);
  }

  void run() {
    separateNodes();
    for (const auto &[initializer, uses] : nameUses(graph_, facts_).uses)
      separate(initializer, uses);
  }

private:
  /// The exporter also merged equal nodes over merged initializers: an expand of %view_4 is %expand in one module, and
  /// another module's call names it %expand_2. Each module gets its own copy of such a node.
  void separateNodes() {
    std::vector<bool> dependsOnInput(graph_.numValues(), false);
    for (ValueId input : graph_.sources(ValueKind::Input))
      dependsOnInput[input] = true;
    const std::vector<NodeId> order = graph_.order();
    for (NodeId id : order)
      for (ValueId operand : graph_.node(id).operands)
        if (dependsOnInput[operand])
          for (ValueId result : graph_.node(id).results)
            dependsOnInput[result] = true;
    for (NodeId id : llvm::reverse(order)) // backwards, so that what a copy reads is copied after it
      if (facts_.callOf(id) && graph_.node(id).results.size() == 1 && !dependsOnInput[graph_.node(id).results[0]])
        separateNode(id);
  }

  void separateNode(NodeId id) {
    const ProgramCall call = *facts_.callOf(id); // a copy, since copies of nodes add to the calls
    const llvm::SmallVector<Use, 2> uses = graph_.value(graph_.node(id).results[0]).uses;
    std::map<std::string, NodeId> copies; // by module
    for (Use use : uses) {
      const ProgramCall *user = facts_.callOf(use.node);
      if (!user || call.scopes.empty() || user->scopes.empty() ||
          llvm::is_contained(user->scopes, call.scopes.back()) || !namesAnother(*user, call.result))
        continue;
      auto [copy, isNew] = copies.try_emplace(user->scopes.back(), kNone);
      if (isNew) copy->second = copyInto(id, user->scopes);
      graph_.setOperand(use.node, use.operand, graph_.node(copy->second).results[0]);
    }
  }

  /// Whether the call does not name `result`, but a value of the same operator that no node computes. The call of a
  /// copied node names nothing and counts as such.
  bool namesAnother(const ProgramCall &user, llvm::StringRef result) const {
    if (user.result.empty()) return true;
    bool isFound = false;
    for (const std::string &argument : user.arguments)
      for (llvm::StringRef name : namesIn(argument)) {
        if (name == result) return false;
        isFound |= operatorOf(name) == operatorOf(result) && !computed_.contains(name);
      }
    return isFound;
  }

  NodeId copyInto(NodeId id, const std::vector<std::string> &scopes) {
    ProgramCall call = *facts_.callOf(id);
    call.result.clear();
    call.scopes = scopes;
    const llvm::SmallVector<ValueId, 4> operands = graph_.node(id).operands;
    const NodeId copy = graph_.addCopy(graph_, id, operands, id);
    facts_.nodes.resize(std::max<size_t>(facts_.nodes.size(), copy + 1));
    facts_.nodes[copy] = {uint32_t(facts_.calls.size()), scopes.back()};
    facts_.calls.push_back(std::move(call));
    return copy;
  }

  using Kind = NamedUse::Kind;
  using Identity = std::pair<Kind, std::string>; ///< the kind, and the placeholder or name
  using Parts = std::map<Identity, llvm::SmallVector<Use, 2>>;

  /// The placeholder of the initializer's own name; empty if it is no source of the program.
  std::string ownPlaceholder(ValueId initializer, const Parts &parts) const {
    const std::string &name = graph_.value(initializer).name;
    if (auto said = facts_.tensors.find(name); said != facts_.tensors.end() && said->second.kind)
      return said->second.placeholder;
    // A folded initializer is the source that it was folded from, or else the first that it stands for.
    std::string first;
    for (const auto &[identity, uses] : parts) {
      if (identity.first != Kind::Source) continue;
      if (first.empty() || isFoldedFrom(name, identity.second, uses[0])) first = identity.second;
    }
    return first;
  }

  bool isFoldedFrom(const std::string &initializer, llvm::StringRef placeholder, Use use) const {
    auto said = facts_.tensors.find(initializer);
    return said != facts_.tensors.end() &&
           llvm::is_contained(said->second.foldedFrom, names_.nameOf(placeholder, *facts_.callOf(use.node)));
  }

  /// The only parameter from which an initializer was folded, if a use of it lies in that parameter's module; empty
  /// otherwise. Uses in other modules are then of values that were folded from the parameters of those modules.
  std::string onlySource(const std::string &name, llvm::ArrayRef<NamedUse> uses) const {
    const FoldedFrom folded = foldedFrom(name, facts_);
    if (folded.sources.size() != 1) return "";
    const llvm::StringRef module = llvm::StringRef(folded.sources[0]).rsplit('.').first;
    const bool isUsedThere = llvm::any_of(
        uses, [&](const NamedUse &use) { return llvm::is_contained(facts_.callOf(use.use.node)->scopes, module); });
    return isUsedThere ? folded.sources[0] : "";
  }

  /// Which separated part a use belongs to. A value that only views a source, or comes from an initializer that is no
  /// source, stays with the initializer itself.
  Identity identityOf(const NamedUse &use, bool isOfSources, llvm::StringRef name, llvm::StringRef source) const {
    if (use.kind == Kind::Source) return {use.kind, use.name};
    const std::vector<std::string> &scopes = facts_.callOf(use.use.node)->scopes;
    if (auto [module, leaf] = source.rsplit('.'); !leaf.empty() && !llvm::is_contained(scopes, module))
      return {Kind::Computed, scopes.empty() ? leaf.str() : scopes.back() + "." + leaf.str()};
    const auto &contents = graph_.value(graph_.node(use.use.node).operands[use.use.operand]).contents;
    const bool isOther = use.kind == Kind::Number ? contents && isOneNumber(*contents)
                                                  : use.kind == Kind::Computed && use.name != name &&
                                                        originOf(use.name) != ValueOrigin::View;
    if (isOfSources && isOther) return {use.kind, use.kind == Kind::Number ? "" : use.name};
    return {Kind::Unknown, ""};
  }

  /// Gives each part of the uses its own initializer; the part that is the initializer itself keeps it.
  void separate(ValueId initializer, llvm::ArrayRef<NamedUse> uses) {
    const std::string name = graph_.value(initializer).name;
    const bool isOfSources = llvm::any_of(uses, [](const NamedUse &use) { return use.kind == Kind::Source; }) ||
                             (facts_.tensors.count(name) && facts_.tensors.find(name)->second.kind);
    const std::string source = isOfSources ? "" : onlySource(name, uses);
    Parts parts;
    for (const NamedUse &use : uses)
      parts[identityOf(use, isOfSources, name, source)].push_back(use.use);
    const std::string own = ownPlaceholder(initializer, parts);
    for (const auto &[identity, partUses] : parts) {
      const auto &[kind, what] = identity;
      if (kind == Kind::Unknown || (kind == Kind::Source && what == own)) continue;
      const ValueId part = add(initializer, kind, what, partUses[0]);
      for (Use use : partUses)
        graph_.setOperand(use.node, use.operand, part);
    }
  }

  ValueId add(ValueId initializer, Kind kind, const std::string &what, Use use) {
    const Value whole = graph_.value(initializer);
    if (kind == Kind::Number) return graph_.addConstant("c", *whole.contents);
    if (auto known = parts_.find(what); known != parts_.end() && graph_.type(known->second) == whole.type)
      return known->second; // otherwise the known one is its transpose
    const std::string name = kind == Kind::Source ? names_.nameOf(what, *facts_.callOf(use.node), whole.name) : what;
    const ValueId part = graph_.addParameter(name, whole.type, whole.contents);
    parts_[what] = part;
    const std::string &own = graph_.value(part).name;
    if (kind == Kind::Source)
      facts_.tensors[own] = {kindOfPlaceholder(what), what, {}};
    else
      facts_.tensors[own] = {{}, "", sourcesLike(whole.name, what), !llvm::StringRef(what).contains('.')};
    separated_.push_back(graph_.value(part).name);
    return part;
  }

  /// The names from which a separated value was folded: those of the whole value, but with the source by which it is
  /// called.
  std::vector<std::string> sourcesLike(const std::string &whole, const std::string &part) const {
    std::vector<std::string> from = {part};
    if (!llvm::StringRef(part).contains('.')) return from; // it is the source itself
    const std::vector<std::string> sources = foldedFrom(whole, facts_).sources;
    for (const std::string &value : facts_.tensors.find(whole)->second.foldedFrom)
      if (!llvm::is_contained(sources, value)) from.push_back(value);
    from.push_back(whole);
    return from;
  }

  Graph &graph_;
  ExporterFacts &facts_;
  const SourceNames names_;
  std::vector<std::string> &separated_;
  llvm::StringSet<> computed_;     ///< results of calls to which nodes belong
  llvm::StringMap<ValueId> parts_; ///< by placeholder, or by the name of the value; only looked up
};

} // namespace

llvm::Error separateMerged(Graph &graph, ExporterFacts &facts, std::vector<std::string> &separated) {
  Separator(graph, facts, separated).run();
  return llvm::Error::success();
}

} // namespace autotp
