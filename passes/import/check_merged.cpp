#include "passes/import/check_merged.h"

#include "compiler/ir/graph.h"
#include "passes/import/program_sources.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include <set>

namespace autotp {
namespace {

llvm::StringRef leafOf(llvm::StringRef name) { return name.substr(name.rfind('.') + 1); }
llvm::StringRef moduleOf(llvm::StringRef name) {
  return name.take_front(name.rfind('.') == llvm::StringRef::npos ? 0 : name.rfind('.'));
}

class Finder {
public:
  Finder(const Graph &graph, const ExporterFacts &facts)
      : graph_(graph), facts_(facts), names_(nameUses(graph, facts)), held_(heldSources(graph, facts, names_)),
        sourceNames_(facts), isComputed_(graph.numValues(), false) {
    for (ValueId input : graph_.sources(ValueKind::Input)) {
      known_.insert(graph_.value(input).name);
      isComputed_[input] = true;
    }
    for (const ProgramCall &call : facts_.calls)
      known_.insert(call.result);
    for (NodeId id : graph_.order())
      for (ValueId result : graph_.node(id).results)
        isComputed_[result] = llvm::any_of(graph_.node(id).operands, [&](ValueId v) { return isComputed_[v]; });
    for (const auto &[initializer, uses] : names_.uses)
      for (const NamedUse &use : uses)
        if (use.kind == NamedUse::Kind::Unknown) unclear_.insert(facts_.of(use.use.node)->call);
  }

  /// The names of lost parameters, in the order of the program.
  std::vector<std::string> run() const {
    llvm::StringSet<> called;
    std::vector<std::string> lost;
    for (const auto &[id, call] : indexed(facts_.calls))
      for (const std::string &argument : call.arguments)
        for (llvm::StringRef name : namesIn(argument))
          if (isParameter(name) && called.insert(name).second && !held_.contains(name) && !unclear_.count(uint32_t(id)))
            lost.push_back(sourceNames_.nameOf(name, call));
    const std::set<llvm::StringRef> leaves = leavesOfMerged();
    for (const ProgramSource &source : facts_.sources)
      if (source.kind == TensorKind::Parameter && !held_.contains(source.placeholder) &&
          !called.contains(source.placeholder) && leaves.count(leafOf(source.name)) && !hasCalls(moduleOf(source.name)))
        lost.push_back(source.name);
    return lost;
  }

private:
  /// Whether a module still computes something; if so, it has its own parameter under another name.
  bool hasCalls(llvm::StringRef module) const {
    return llvm::any_of(facts_.calls,
                        [&](const ProgramCall &call) { return !call.scopes.empty() && call.scopes.back() == module; });
  }

  bool isParameter(llvm::StringRef name) const {
    return kindOfPlaceholder(name) == TensorKind::Parameter && !known_.contains(name);
  }

  /// The values of other nodes that the nodes of one call read.
  struct Reads {
    std::set<ValueId> named, others; ///< values that the call names, and others
    bool hasFolded = false;          ///< whether an initializer stands where the call may name a computed value
  };

  /// The last parts of the names of parameters whose layers also stand for merged ones, such as "weight" and "bias" of
  /// a linear layer.
  std::set<llvm::StringRef> leavesOfMerged() const {
    std::map<uint32_t, Reads> calls;
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      if (const ProgramCall *call = facts_.callOf(id))
        for (ValueId operand : graph_.node(id).operands) {
          const Value &value = graph_.value(operand);
          if (value.kind != ValueKind::Result || !isComputed_[operand] || facts_.callOf(value.producer) == call)
            continue;
          Reads &reads = calls[facts_.of(id)->call];
          (names(*call, resultOf(operand)) ? reads.named : reads.others).insert(operand);
        }
    for (const auto &[initializer, uses] : names_.uses)
      for (const NamedUse &use : uses)
        if (use.kind != NamedUse::Kind::Source && graph_.type(initializer).elements() > 1)
          calls[facts_.of(use.use.node)->call].hasFolded = true;
    std::set<llvm::StringRef> leaves;
    for (const auto &[id, reads] : calls)
      addStandIns(facts_.calls[id], reads, leaves);
    return leaves;
  }

  /// A value that a call names but no node computes was merged into a value of the same operator that the call does not
  /// name; if the call names all that its nodes read, into one of those. In a chain of reshapes, one stands for all of
  /// them; and a folded initializer may stand for any of several, so then nothing is concluded.
  void addStandIns(const ProgramCall &call, const Reads &reads, std::set<llvm::StringRef> &leaves) const {
    llvm::SmallVector<llvm::StringRef, 4> missing;
    for (const std::string &argument : call.arguments)
      for (llvm::StringRef name : namesIn(argument))
        if (!known_.contains(name) && !kindOfPlaceholder(name)) missing.push_back(name);
    if (reads.hasFolded && missing.size() > reads.others.size()) return;
    for (llvm::StringRef name : missing)
      for (ValueId value : reads.others.empty() ? reads.named : reads.others)
        if (operatorOf(name) == operatorOf(resultOf(value)) && operatorOf(name) != operatorOf(call.result))
          addLeaves(value, leaves);
  }

  llvm::StringRef resultOf(ValueId value) const {
    const ProgramCall *call = facts_.callOf(graph_.value(value).producer);
    return call ? llvm::StringRef(call->result) : "";
  }

  /// Adds the last parts of the names of the parameters that the nearest calls before `value` name.
  void addLeaves(ValueId value, std::set<llvm::StringRef> &leaves) const {
    std::set<ValueId> seen;
    llvm::SmallVector<ValueId, 8> left = {value};
    while (!left.empty()) {
      const ValueId next = left.pop_back_val();
      if (!seen.insert(next).second || graph_.value(next).producer == kNone) continue;
      const ProgramCall *call = facts_.callOf(graph_.value(next).producer);
      bool hasParameter = false;
      for (const ProgramSource &source : facts_.sources)
        if (call && source.kind == TensorKind::Parameter && names(*call, source.placeholder)) {
          leaves.insert(leafOf(source.name));
          hasParameter = true;
        }
      if (!hasParameter) llvm::append_range(left, graph_.node(graph_.value(next).producer).operands);
    }
  }

  static bool names(const ProgramCall &call, llvm::StringRef placeholder) {
    return llvm::any_of(call.arguments, [&](const std::string &argument) {
      return llvm::is_contained(namesIn(argument), placeholder);
    });
  }

  const Graph &graph_;
  const ExporterFacts &facts_;
  const ProgramNames names_;
  const llvm::StringSet<> held_;
  const SourceNames sourceNames_;
  std::vector<bool> isComputed_; ///< by ValueId: whether it is computed from an input
  llvm::StringSet<> known_;      ///< names of inputs and of values that nodes compute
  std::set<uint32_t> unclear_;   ///< calls with initializers whose identity is unknown
};

} // namespace

llvm::Error checkMerged(const Graph &graph, const ExporterFacts &facts) {
  if (facts.exporter != Exporter::Dynamo) return llvm::Error::success();
  std::string text;
  for (const std::string &name : Finder(graph, facts).run())
    text += "\n    " + escaped(name);
  if (text.empty()) return llvm::Error::success();
  return problem("parameters", "the exporter merged layers of equal contents, and lost these parameters:" + text,
                 "export the model with optimize=False, or from contents that differ; --assume roles trains what is "
                 "left, as if the layers were one");
}

} // namespace autotp
