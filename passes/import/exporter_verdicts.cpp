#include "passes/import/exporter_verdicts.h"

#include "compiler/ir/graph.h"
#include "passes/import/program_sources.h"

#include "llvm/ADT/StringExtras.h"

#include <set>

namespace autotp {
namespace {

using Kind = ExporterVerdict::Kind;

/// Whether the name is one that modules of torch.nn give to parameters and never to buffers.
bool isCalledAsParameter(llvm::StringRef name) {
  const llvm::StringRef leaf = name.substr(name.rfind('.') + 1);
  return leaf == "weight" || leaf == "bias" || name.contains(".parametrizations.");
}

bool isComputedBy(const ExportedTensor &said, llvm::StringRef initializer, llvm::ArrayRef<llvm::StringRef> operators) {
  auto isOne = [&](llvm::StringRef value) { return llvm::is_contained(operators, operatorOf(value)); };
  return isOne(initializer) || llvm::any_of(said.foldedFrom, isOne);
}

/// Whether the value was computed by sums of one vector and numbers only, as 1 + w.
bool isShifted(const ExportedTensor &said, llvm::StringRef initializer, const Type &type, const FoldedFrom &folded) {
  auto isHarmless = [&](llvm::StringRef value) {
    const llvm::StringRef op = operatorOf(value);
    return op == "add" || op == "sub" || op == "rsub" || llvm::is_contained(folded.sources, value) ||
           originOf(value) != ValueOrigin::Formula;
  };
  return type.shape.size() == 1 && isHarmless(initializer) && llvm::all_of(said.foldedFrom, isHarmless);
}

/// The verdict on a folded initializer. A view of a parameter trains like it, and so does a vector plus a number. Any
/// other formula of a parameter is lost, since training its result would be another model.
ExporterVerdict ofFolded(const ExportedTensor &said, llvm::StringRef initializer, const Type &type,
                         const ExporterFacts &facts) {
  if (said.isOfUnknown) {
    if (originOf(initializer) == ValueOrigin::Created) return {Kind::Constant, "computed from no parameter"};
    return {Kind::Lost, "a folded value whose formula the exporter lost"};
  }
  const FoldedFrom folded = foldedFrom(initializer, facts);
  if (folded.sources.empty()) return {Kind::Constant, "computed from no parameter"};
  const std::string sources = llvm::join(folded.sources, ", ");
  auto kindOf = [&](llvm::StringRef source) {
    auto at = facts.tensors.find(source);
    return at == facts.tensors.end() ? std::nullopt : at->second.kind;
  };
  const bool isOfParameter = llvm::any_of(folded.sources, [&](const std::string &source) {
    return kindOf(source) == TensorKind::Parameter || (!kindOf(source) && isCalledAsParameter(source));
  });
  const bool isOfBuffers = llvm::all_of(folded.sources, [&](const std::string &source) {
    return kindOf(source) == TensorKind::Buffer || kindOf(source) == TensorKind::Constant;
  });
  if (isOfBuffers) return {Kind::Constant, "computed from buffers"};
  if (!folded.isFormula)
    return isOfParameter ? ExporterVerdict{Kind::Trained, "a view of " + sources} : ExporterVerdict{};
  if (!isOfParameter && isComputedBy(said, initializer, {"sin", "cos"}))
    return {Kind::Constant, "sines of positions and " + sources};
  if (isOfParameter && folded.sources.size() == 1 && isShifted(said, initializer, type, folded))
    return {Kind::Trained, sources + " and a number, which trains the same", true, /*isShifted=*/true};
  return {Kind::Lost, "folded from " + sources + " by a formula", isOfParameter};
}

class Judge {
public:
  Judge(const Graph &graph, const ExporterFacts &facts)
      : graph_(graph), facts_(facts), names_(nameUses(graph, facts)), held_(heldSources(graph, facts, names_)),
        sourceNames_(facts) {}

  ExporterVerdict of(ValueId initializer) const {
    const Value &value = graph_.value(initializer);
    auto said = facts_.tensors.find(value.name);
    const bool isSaid = said != facts_.tensors.end();
    std::set<TensorKind> kinds;
    if (isSaid && said->second.kind) kinds.insert(*said->second.kind);
    bool isOther = facts_.exporter == Exporter::Dynamo, isComputed = false;
    auto uses = names_.uses.find(initializer);
    size_t numNamed = 0;
    std::vector<std::string> lost;
    if (uses != names_.uses.end())
      for (const NamedUse &use : uses->second) {
        if (use.kind == NamedUse::Kind::Source) kinds.insert(*kindOfPlaceholder(use.name));
        if (use.kind == NamedUse::Kind::Unknown) addLost(*facts_.callOf(use.use.node), lost);
        isOther &= use.kind == NamedUse::Kind::Number;
        isComputed |= use.kind == NamedUse::Kind::Computed && originOf(use.name) == ValueOrigin::Formula;
        ++numNamed;
      }
    if (kinds.count(TensorKind::Parameter))
      return kinds.size() == 1
                 ? ExporterVerdict{Kind::Trained, "PARAMETER"}
                 : ExporterVerdict{Kind::Contradicted, "PARAMETER at one use of it, and BUFFER or CONSTANT at another"};
    if (!kinds.empty()) return {Kind::Constant, *kinds.begin() == TensorKind::Buffer ? "BUFFER" : "CONSTANT"};
    if (isSaid && (said->second.isOfUnknown || !said->second.foldedFrom.empty()))
      return ofFolded(said->second, value.name, value.type, facts_);
    // TorchScript renames weights of products that it transposes, but not weights of convolutions. A renamed one was
    // computed.
    if (facts_.exporter == Exporter::TorchScript && llvm::StringRef(value.name).startswith("onnx::Conv"))
      return {Kind::Lost, "computed by the exporter, as a norm is into the convolution before it", true};
    if (!lost.empty()) return {Kind::Lost, "computed from " + llvm::join(lost, ", "), /*isOfParameter=*/true};
    if (isOther && numNamed == value.uses.size()) return {Kind::Unnamed, "no parameter of any call"};
    if (isComputed) return {Kind::Lost, "a folded value, of what is not said"};
    return {};
  }

private:
  /// Adds the parameters that a call names but the file does not hold. A norm of running statistics, for example, names
  /// its scale, though the exporter multiplied it into the product before.
  void addLost(const ProgramCall &call, std::vector<std::string> &lost) const {
    for (const std::string &argument : call.arguments)
      for (llvm::StringRef name : namesIn(argument))
        if (kindOfPlaceholder(name) == TensorKind::Parameter && !held_.contains(name))
          if (std::string source = sourceNames_.nameOf(name, call); !llvm::is_contained(lost, source))
            lost.push_back(std::move(source));
  }

  const Graph &graph_;
  const ExporterFacts &facts_;
  const ProgramNames names_;
  const llvm::StringSet<> held_;
  const SourceNames sourceNames_;
};

} // namespace

std::map<std::string, ExporterVerdict> exporterVerdicts(const Graph &graph, const ExporterFacts &facts) {
  std::map<std::string, ExporterVerdict> verdicts;
  const Judge judge(graph, facts);
  for (ValueId id : graph.sources(ValueKind::Parameter))
    if (ExporterVerdict verdict = judge.of(id); verdict.kind != Kind::None)
      verdicts[graph.value(id).name] = std::move(verdict);
  return verdicts;
}

} // namespace autotp
