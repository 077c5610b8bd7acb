#include "passes/import/weight_origins.h"

#include "compiler/ir/graph.h"
#include "passes/import/named_uses.h"

namespace autotp {
namespace {

using Form = WeightOrigin::Form;

/// Calls whose weight belongs to the module that makes them, and the place of the weight among their arguments.
constexpr std::pair<llvm::StringLiteral, size_t> kModuleCalls[] = {
    {"aten.embedding", 0}, {"aten.linear", 1}, {"aten.conv1d", 1}, {"aten.conv2d", 1}, {"aten.conv3d", 1},
};

/// Operators that turn a matrix, and those that copy it.
constexpr llvm::StringLiteral kTurning[] = {"permute", "transpose", "t"};
constexpr llvm::StringLiteral kCopying[] = {"_to_copy", "alias", "clone", "contiguous", "detach", "to"};

bool isVector(const Type &type) { return type.shape.size() <= 1; }

/// Whether a call names this placeholder as its argument number `k`.
bool isArgument(const ProgramCall &call, size_t k, llvm::StringRef placeholder) {
  return k < call.arguments.size() && call.arguments[k] == "%" + placeholder.str();
}

/// Whether the product reads its operand number `k` the other way round.
bool isTurnedAt(const Node &product, unsigned k) {
  return product.attributes.integer(k == 0 ? "trans_a" : "trans_b") != 0;
}

class Finder {
public:
  Finder(const Graph &graph, const ExporterFacts &facts, const RenamedWeights &renamed)
      : graph_(graph), facts_(facts), renamed_(renamed), uses_(nameUses(graph, facts).uses) {}

  WeightOrigin of(ValueId id) const {
    const std::string &name = graph_.value(id).name;
    WeightOrigin origin;
    const bool isAdded = llvm::is_contained(renamed_.separated, name) || llvm::is_contained(renamed_.restored, name);
    origin.isRenamed = !isAdded && isMadeUp(name);
    if (auto module = renamed_.moduleNames.find(name); module != renamed_.moduleNames.end())
      origin.names.push_back(module->second);
    if (const FoldedFrom folded = foldedFrom(name, facts_); origin.names.empty())
      llvm::copy_if(folded.sources, std::back_inserter(origin.names),
                    [](llvm::StringRef source) { return source.endswith(".weight"); }); // and not positions
    addNamesOfUses(id, origin.names);
    if (isAdded || origin.isRenamed)
      origin.form = formOf(id);
    else // some optimizer may have turned it under its name
      origin.form = formByUses(id) == Form::Transposed ? Form::Unknown : Form::Same;
    return origin;
  }

private:
  /// Whether the exporter calls a value so that is no parameter as the module has it.
  bool isMadeUp(llvm::StringRef name) const {
    auto said = facts_.tensors.find(name);
    if (said != facts_.tensors.end()) return !said->second.kind;
    const bool hasPath = name.contains('.');
    return name.startswith("onnx::") ||
           (facts_.exporter == Exporter::Dynamo && !hasPath && renamed_.moduleNames.count(name));
  }

  void addNamesOfUses(ValueId id, std::vector<std::string> &names) const {
    auto uses = uses_.find(id);
    if (uses == uses_.end()) return;
    for (const NamedUse &use : uses->second) {
      const ProgramCall &call = *facts_.callOf(use.use.node);
      for (const auto &[target, place] : kModuleCalls)
        if (use.kind == NamedUse::Kind::Source && call.target == target && isArgument(call, place, use.name) &&
            !call.scopes.empty() && !call.scopes.back().empty())
          if (std::string name = call.scopes.back() + ".weight"; !llvm::is_contained(names, name))
            names.push_back(std::move(name));
    }
  }

  Form formOf(ValueId id) const {
    const Value &value = graph_.value(id);
    if (llvm::StringRef(value.name).startswith("onnx::")) return formOfTorchScript(value);
    const bool isRestored = llvm::is_contained(renamed_.restored, value.name); // a bias, or a table
    if (operatorOf(value.name) == "embedding" || (isRestored && !isVector(value.type))) return Form::Rows;
    const FoldedFrom folded = foldedFrom(value.name, facts_);
    if (folded.isFormula || folded.sources.size() > 1) return Form::Formula;
    if (auto said = facts_.tensors.find(value.name); said != facts_.tensors.end() && said->second.isOfUnknown)
      return Form::Unknown;
    if (isVector(value.type)) return Form::Same;
    const Form form = formByUses(id);
    return form == Form::Unknown ? formOfViews(value) : form;
  }

  /// What the exporter folded keeps the names of the program's values: one that was permuted is the transposed matrix.
  Form formOfViews(const Value &value) const {
    auto said = facts_.tensors.find(value.name);
    if (said == facts_.tensors.end() || value.type.shape.size() != 2 || value.name.find('.') != std::string::npos)
      return Form::Unknown;
    const std::vector<std::string> sources = foldedFrom(value.name, facts_).sources;
    bool isTurned = false;
    auto isKnown = [&](llvm::StringRef name) {
      if (llvm::is_contained(kTurning, operatorOf(name))) isTurned = !isTurned;
      return llvm::is_contained(kTurning, operatorOf(name)) || llvm::is_contained(kCopying, operatorOf(name));
    };
    if (!isKnown(value.name)) return Form::Unknown;
    for (const std::string &name : said->second.foldedFrom)
      if (!llvm::is_contained(sources, name) && !isKnown(name)) return Form::Unknown;
    return isTurned ? Form::Transposed : Form::Same;
  }

  /// A transposed weight is called after the product that reads it; what is called after another node was computed.
  Form formOfTorchScript(const Value &value) const {
    if (!llvm::StringRef(value.name).startswith("onnx::MatMul_") || value.type.shape.size() != 2) return Form::Unknown;
    auto isRight = [&](Use use) { return graph_.node(use.node).is("matmul") && use.operand == 1; };
    auto isForward = [&](Use use) { return isRight(use) && !isTurnedAt(graph_.node(use.node), 1); };
    // A backward, if the model brings its own, turns the weight again.
    return llvm::all_of(value.uses, isRight) && llvm::any_of(value.uses, isForward) ? Form::Transposed : Form::Unknown;
  }

  /// What all uses say that are said to be of the parameter; Unknown if two contradict each other.
  Form formByUses(ValueId id) const {
    auto uses = uses_.find(id);
    if (uses == uses_.end()) return Form::Unknown;
    std::optional<Form> form;
    for (const NamedUse &use : uses->second) {
      const Form here = use.kind == NamedUse::Kind::Source ? formOfUse(use) : Form::Unknown;
      if (form && *form != here) return Form::Unknown;
      form = here;
    }
    return form.value_or(Form::Unknown);
  }

  /// A call names the parameter, and its definition says how the product reads it.
  Form formOfUse(const NamedUse &named) const {
    const ProgramCall &call = *facts_.callOf(named.use.node);
    const Node &node = graph_.node(named.use.node);
    const unsigned k = named.use.operand;
    auto turned = [](bool isTurned) { return isTurned ? Form::Transposed : Form::Same; };
    if (call.target == "aten.linear" && isArgument(call, 1, named.name)) { // x W^T
      if (node.is("matmul") && k == 1) return turned(!isTurnedAt(node, 1));
      if (node.is("transpose") && isTheWeight(node)) return Form::Same;
    }
    if (call.target == "aten.addmm" && isArgument(call, 2, named.name) && node.is("matmul") && k == 1) // b + x W
      return turned(isTurnedAt(node, 1));
    for (llvm::StringRef product : {"aten.mm", "aten.matmul", "aten.bmm"}) // a b
      if (call.target == product && node.is("matmul") && isArgument(call, k, named.name))
        return turned(isTurnedAt(node, k));
    if (call.target == "aten.embedding" && node.is("gather") && k == 0) return Form::Same;
    return Form::Unknown;
  }

  /// Whether a transposed weight is the right side of products, and nothing else.
  bool isTheWeight(const Node &transpose) const {
    return transpose.attributes.integers("perm") == llvm::ArrayRef<int64_t>({1, 0}) &&
           llvm::all_of(graph_.value(transpose.results[0]).uses, [&](Use use) {
             const Node &node = graph_.node(use.node);
             return node.is("matmul") && use.operand == 1 && !isTurnedAt(node, 1);
           });
  }

  const Graph &graph_;
  const ExporterFacts &facts_;
  const RenamedWeights &renamed_;
  const llvm::MapVector<ValueId, llvm::SmallVector<NamedUse, 2>> uses_;
};

} // namespace

std::map<std::string, WeightOrigin> weightOrigins(const Graph &graph, const ExporterFacts &facts,
                                                  const RenamedWeights &renamed) {
  std::map<std::string, WeightOrigin> origins;
  const Finder finder(graph, facts, renamed);
  for (ValueId id : graph.sources(ValueKind::Parameter))
    origins[graph.value(id).name] = finder.of(id);
  std::map<std::string, std::string> surest; // initializers by the surest name of their parameter
  auto isItsSurest = [](const WeightOrigin &origin, const std::string &name) {
    return origin.isRenamed && !origin.names.empty() && origin.names[0] == name;
  };
  for (const auto &[initializer, origin] : origins)
    if (!origin.isRenamed || !origin.names.empty())
      surest.emplace(origin.isRenamed ? origin.names[0] : initializer, initializer);
  for (auto &[initializer, origin] : origins)
    llvm::erase_if(origin.names, [&, &initializer = initializer, &origin = origin](const std::string &name) {
      auto other = surest.find(name);
      return other != surest.end() && other->second != initializer && !isItsSurest(origin, name);
    });
  return origins;
}

} // namespace autotp
