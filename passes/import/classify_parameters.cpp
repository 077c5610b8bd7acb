#include "passes/import/classify_parameters.h"

#include "passes/import/known_tables.h"
#include "passes/import/named_uses.h"
#include "passes/import/parameter_names.h"
#include "passes/import/parameter_roles.h"
#include "runtime/base/bounded_regex.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"

namespace autotp {
namespace {

/// The regular expression of a flag, which is searched in the names of initializers.
class Pattern {
public:
  Pattern(llvm::StringRef flag, llvm::StringRef text, const llvm::StringMap<std::string> &moduleNames)
      : flag_(flag), text_(text), fault_(faultOfRegex(text)), regex_(fault_.empty() ? text : ""),
        moduleNames_(moduleNames) {}

  bool isGiven() const { return !text_.empty(); }
  bool matches(llvm::StringRef name) const {
    return isGiven() && (regex_.match(name) || regex_.match(moduleNames_.lookup(name)));
  }
  /// The number of letters and digits, as a measure of how specific the pattern is.
  int64_t specificity() const { return llvm::count_if(text_, llvm::isAlnum); }
  std::string text() const { return (flag_ + " " + text_).str(); }

  llvm::Error check(const Graph &graph, llvm::ArrayRef<ValueId> initializers) {
    if (!isGiven()) return llvm::Error::success();
    if (!fault_.empty()) return problem(flag_, "'" + escaped(text_) + "' " + fault_);
    if (llvm::any_of(initializers, [&](ValueId v) { return matches(graph.value(v).name); }))
      return llvm::Error::success();
    return problem(flag_, "'" + escaped(text_) + "' matches no initializer", "--explain parameters lists their names");
  }

private:
  llvm::StringRef flag_, text_;
  std::string fault_; ///< why it cannot be used; empty: it can
  llvm::Regex regex_;
  const llvm::StringMap<std::string> &moduleNames_;
};

struct Decision {
  enum class Kind : uint8_t { Trained, Constant, Doubt };
  Kind kind;
  EvidenceKind evidence;
  std::string why;
};
using Kind = Decision::Kind;

constexpr const char *kUnsaid = "nothing says whether it is a parameter";

/// Weighs the evidence for each initializer.
class Court {
public:
  Court(const Graph &graph, const ParameterEvidence &evidence)
      : graph_(graph), evidence_(evidence), train_("--train", evidence.overrides.train, evidence.moduleNames),
        freeze_("--freeze", evidence.overrides.freeze, evidence.moduleNames),
        only_("--only", evidence.overrides.only, evidence.moduleNames), roles_(graph) {}

  llvm::Error check(llvm::ArrayRef<ValueId> initializers) {
    for (Pattern *pattern : {&train_, &freeze_, &only_})
      if (llvm::Error error = pattern->check(graph_, initializers)) return error;
    return llvm::Error::success();
  }

  std::vector<Decision> decideAll(llvm::ArrayRef<ValueId> initializers) const {
    std::map<std::string, Decision> byName;
    for (ValueId id : initializers) {
      const char *why = graph_.value(id).uses.empty()     ? "the loss does not depend on it"
                        : graph_.type(id).elements() == 0 ? "it has no elements"
                                                          : nullptr;
      byName.try_emplace(graph_.value(id).name, why ? Decision{Kind::Constant, EvidenceKind::Role, why} : decide(id));
    }
    for (const Tie &tie : evidence_.ties)
      if (auto copy = byName.find(tie.copy), of = byName.find(tie.of); copy != byName.end() && of != byName.end())
        copy->second = of->second;
    std::vector<Decision> decisions;
    for (ValueId id : initializers)
      decisions.push_back(byName.at(graph_.value(id).name));
    return decisions;
  }

  /// Whether an initializer that is not trained is a parameter nevertheless, which the user has frozen.
  bool isFrozen(ValueId id, const Decision &decision) const {
    const bool isUsers = decision.evidence == EvidenceKind::Flag || decision.evidence == EvidenceKind::List;
    if (decision.kind != Kind::Constant || !isUsers) return false;
    auto at = evidence_.verdicts.find(graph_.value(id).name);
    return at != evidence_.verdicts.end() ? at->second.kind == ExporterVerdict::Kind::Trained
                                          : roles_.of(id).kind == ParameterRole::Kind::Trained;
  }

private:
  /// The order of these questions is the ranking of the evidence.
  Decision decide(ValueId id) const {
    const std::string &name = graph_.value(id).name;
    const ParameterRole role = roles_.of(id);
    if (role.kind == ParameterRole::Kind::Trained && !evidence_.overrides.assumesRoles && cannotBeNamed(name))
      return {Kind::Doubt, EvidenceKind::Flag,
              "the exporter renamed it, so that what is given by name may mean it or not"};
    if (std::optional<Decision> decision = byFlags(name)) return *decision;
    if (evidence_.overrides.isListed) return byList(name, role);
    if (llvm::is_contained(evidence_.untrained, name))
      return {Kind::Constant, EvidenceKind::Role, "no parameter of the operator that reads it"};
    if (std::optional<Decision> decision = byExporter(name, role)) return *decision;
    if (evidence_.overrides.assumesRoles) return byRole(role);
    if (role.kind == ParameterRole::Kind::Unknown) return {Kind::Doubt, EvidenceKind::Role, kUnsaid};
    if (role.isNumber && evidence_.exporter == Exporter::TorchScript)
      return {Kind::Doubt, EvidenceKind::Role, "a number that is a member of a module, a parameter or a buffer"};
    if (role.kind == ParameterRole::Kind::Trained && evidence_.decaysVectors && isComputed(id))
      return {Kind::Doubt, EvidenceKind::Role, "the exporter computed it, and decays would be of the result"};
    if (role.isFactor && evidence_.exporter == Exporter::TorchScript)
      return {Kind::Doubt, EvidenceKind::Role, "it scales what is computed, a parameter or a buffer"};
    if (role.kind == ParameterRole::Kind::Trained && evidence_.exporter == Exporter::Unknown && maybeMerged(id))
      return {Kind::Doubt, EvidenceKind::Role,
              "several operators use this vector of one number: it is shared, or an exporter merged several"};
    return byRole(role);
  }

  /// Whether the user's flags go by names, but the module's name of this initializer is lost.
  bool cannotBeNamed(const std::string &name) const {
    const bool isRenamed = llvm::StringRef(name).startswith("onnx::") || originOf(name) == ValueOrigin::Unnamed;
    const bool isByName = freeze_.isGiven() || only_.isGiven() || evidence_.overrides.isListed;
    return isByName && isRenamed && evidence_.exporter != Exporter::Unknown && !evidence_.moduleNames.count(name) &&
           !train_.matches(name) && !freeze_.matches(name) && !only_.matches(name) && !isListed(name);
  }

  /// Whether TorchScript made up the name and the value is no matrix, which may only be transposed: it was computed, as
  /// 1 + w is, or is a view.
  bool isComputed(ValueId id) const {
    const Value &value = graph_.value(id);
    const bool isVector = llvm::count_if(value.type.shape, [](int64_t size) { return size > 1; }) == 1;
    return evidence_.exporter == Exporter::TorchScript && isVector && llvm::StringRef(value.name).startswith("onnx::");
  }

  /// Whether several parameters may have been merged into it, since scales of ones and biases of zeros are equal until
  /// they are trained.
  bool maybeMerged(ValueId id) const {
    const Value &value = graph_.value(id);
    return value.uses.size() > 1 && value.type.shape.size() == 1 && value.contents && isOneNumber(*value.contents);
  }

  static Decision byRole(const ParameterRole &role) {
    return {role.kind == ParameterRole::Kind::Trained ? Kind::Trained : Kind::Constant, EvidenceKind::Role,
            role.kind == ParameterRole::Kind::Unknown ? kUnsaid : role.why.str()};
  }

  std::optional<Decision> byFlags(const std::string &name) const {
    auto trained = [&](const Pattern &by) { return Decision{Kind::Trained, EvidenceKind::Flag, by.text()}; };
    auto frozen = [&](const Pattern &by) { return Decision{Kind::Constant, EvidenceKind::Flag, by.text()}; };
    if (only_.isGiven()) return only_.matches(name) ? trained(only_) : frozen(only_);
    const bool isTrained = train_.matches(name), isFrozen = freeze_.matches(name);
    if (isTrained && isFrozen) return train_.specificity() > freeze_.specificity() ? trained(train_) : frozen(freeze_);
    if (isTrained) return trained(train_);
    if (isFrozen) return frozen(freeze_);
    return std::nullopt;
  }

  Decision byList(const std::string &name, const ParameterRole &role) const {
    if (isListed(name)) return {Kind::Trained, EvidenceKind::List, "in the list of --parameters"};
    auto at = evidence_.verdicts.find(name);
    if (at != evidence_.verdicts.end() && at->second.kind == ExporterVerdict::Kind::Lost &&
        role.kind != ParameterRole::Kind::Constant)
      return {Kind::Doubt, EvidenceKind::List, "not in the list of --parameters, but " + at->second.why};
    return {Kind::Constant, EvidenceKind::List, "not in the list of --parameters"};
  }

  std::optional<Decision> byExporter(const std::string &name, const ParameterRole &role) const {
    auto at = evidence_.verdicts.find(name);
    if (at == evidence_.verdicts.end()) return std::nullopt;
    const ExporterVerdict &verdict = at->second;
    switch (verdict.kind) {
    case ExporterVerdict::Kind::Trained:
      if (verdict.isShifted && evidence_.decaysVectors && !evidence_.overrides.assumesRoles)
        return Decision{Kind::Doubt, EvidenceKind::Exporter, verdict.why + " but for --decay all: it is the sum's"};
      return Decision{Kind::Trained, EvidenceKind::Exporter, verdict.why};
    case ExporterVerdict::Kind::Constant:
      return Decision{Kind::Constant, EvidenceKind::Exporter, verdict.why};
    case ExporterVerdict::Kind::Unnamed:
      if (role.kind != ParameterRole::Kind::Trained || evidence_.overrides.assumesRoles)
        return Decision{Kind::Constant, EvidenceKind::Exporter, verdict.why};
      return Decision{Kind::Doubt, EvidenceKind::Exporter, verdict.why + ", but a parameter by " + role.why.str()};
    case ExporterVerdict::Kind::Contradicted:
      if (evidence_.overrides.assumesRoles) return std::nullopt;
      return Decision{Kind::Doubt, EvidenceKind::Exporter, verdict.why};
    case ExporterVerdict::Kind::Lost:
      // A mask or a rotation table is one from whatever it was computed, but a number may be a formula of a parameter.
      if (evidence_.overrides.assumesRoles ||
          (!verdict.isOfParameter && role.kind == ParameterRole::Kind::Constant && !role.isNumber && !role.isUniform))
        return std::nullopt;
      return Decision{Kind::Doubt, EvidenceKind::Exporter, verdict.why + ": its parameters are not in the file"};
    case ExporterVerdict::Kind::None:
      break;
    }
    return std::nullopt;
  }

  bool isListed(const std::string &name) const {
    return llvm::any_of(evidence_.overrides.listed,
                        [&](const std::string &listed) { return isNameOf(listed, name, evidence_.moduleNames); });
  }

  const Graph &graph_;
  const ParameterEvidence &evidence_;
  Pattern train_, freeze_, only_;
  const ParameterRoles roles_;
};

llvm::Error become(Graph &graph, ValueId id, bool isTrained, bool mayLackContents = false) {
  if (isTrained)
    graph.parameters.push_back({id, {}});
  else if (!graph.value(id).contents && !mayLackContents)
    return problem("initializer '" + escaped(graph.value(id).name) + "'",
                   "it is no parameter, and its file holds no contents for it",
                   "export its contents, or train it with --train");
  else
    graph.setKind(id, ValueKind::Constant);
  return llvm::Error::success();
}

llvm::Error checkAny(const Graph &graph) {
  if (!graph.parameters.empty()) return llvm::Error::success();
  return problem("model", "it has no parameter to train", "name some with --train REGEX");
}

/// The name, with the module's own name in parentheses if it differs.
std::string namesOf(const std::string &name, const llvm::StringMap<std::string> &moduleNames) {
  auto module = moduleNames.find(name);
  return escaped(name) +
         (module == moduleNames.end() || module->second == name ? "" : " (" + escaped(module->second) + ")");
}

} // namespace

llvm::StringRef nameOf(EvidenceKind kind) {
  constexpr llvm::StringLiteral kNames[] = {"flag", "list", "training graph", "exporter", "role"};
  return kNames[size_t(kind)];
}

std::string textOf(const ClassifiedInitializer &initializer, llvm::StringRef moduleName) {
  std::string text = (initializer.isTrained ? "trained     " : "constant    ") + escaped(initializer.name);
  if (!moduleName.empty() && moduleName != initializer.name) text += " (" + escaped(moduleName) + ")";
  return text + " " + initializer.type + ": " + nameOf(initializer.evidence).str() + ", " + escaped(initializer.why);
}

void addListed(llvm::StringRef line, ParameterOverrides &overrides) {
  auto [copy, of] = line.split('#').first.split('=');
  overrides.isListed = true;
  for (llvm::StringRef name : {copy.trim(), of.trim()})
    if (!name.empty()) overrides.listed.push_back(name.str());
  if (!copy.trim().empty() && !of.trim().empty()) overrides.ties.push_back({copy.trim().str(), of.trim().str()});
}

llvm::Error classifyParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers, const ParameterEvidence &evidence,
                               std::vector<ClassifiedInitializer> &classified) {
  Court court(graph, evidence);
  if (llvm::Error error = court.check(initializers)) return error;
  const std::vector<Decision> decisions = court.decideAll(initializers);
  std::string doubts;
  for (auto [id, decision] : llvm::zip(initializers, decisions))
    if (const Value &value = graph.value(id); decision.kind == Kind::Doubt)
      doubts += "\n    " + namesOf(value.name, evidence.moduleNames) + " " + value.type.text() + ": " + decision.why;
  if (!doubts.empty())
    return problem("initializers", "whether these are parameters is in doubt:" + doubts,
                   "export the model with dynamo=True and optimize=False, or say it: --train NAME trains one, --freeze "
                   "NAME does not, "
                   "--parameters FILE lists all; --assume roles takes the guess");
  std::vector<bool> frozen; // asked before any becomes a constant, since roles are those of parameters
  for (auto [id, decision] : llvm::zip(initializers, decisions))
    frozen.push_back(court.isFrozen(id, decision));
  for (auto [i, id] : indexed(initializers)) {
    const Decision &decision = decisions[i];
    const bool isTrained = decision.kind == Kind::Trained;
    const Value &value = graph.value(id);
    if (!value.uses.empty())
      classified.push_back({value.name, value.type.text(), isTrained, value.type.elements() == 1, frozen[i],
                            decision.evidence, decision.why});
    if (llvm::Error error = become(graph, id, isTrained, evidence.fillsFrozen && frozen[i])) return error;
  }
  return checkAny(graph);
}

llvm::Error takeParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers,
                           llvm::function_ref<bool(const std::string &)> isTrained,
                           std::vector<ClassifiedInitializer> &classified) {
  for (ValueId id : initializers) {
    const Value &value = graph.value(id);
    const bool trains = isTrained(value.name);
    if (!value.uses.empty() || trains)
      classified.push_back({value.name, value.type.text(), trains, value.type.elements() == 1, /*isFrozen=*/false,
                            EvidenceKind::TrainingGraph, "the model's own"});
    if (llvm::Error error = become(graph, id, trains)) return error;
  }
  return checkAny(graph);
}

} // namespace autotp
