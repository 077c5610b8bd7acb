#include "passes/import/named_uses.h"

#include "compiler/ir/graph.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

namespace autotp {
namespace {

/// States which argument of a call an operand of its nodes is, if the operator's definition determines it.
struct OperandRule {
  llvm::StringLiteral target, op; ///< op "": any other operator
  int operand;                    ///< operand -1: any operand
  size_t argument;
};
constexpr OperandRule kOperandRules[] = {
    {"aten.linear", "add", -1, 2},
    {"aten.linear", "", -1, 1},
    {"aten.addmm", "add", -1, 0},
    {"aten.addmm", "", 1, 2},
    {"aten.conv1d", "add", -1, 2},
    {"aten.conv1d", "", -1, 1},
    {"aten.conv2d", "add", -1, 2},
    {"aten.conv2d", "", -1, 1},
    {"aten.conv3d", "add", -1, 2},
    {"aten.conv3d", "", -1, 1},
    {"aten.convolution", "add", -1, 2},
    {"aten.convolution", "", -1, 1},
    {"aten.layer_norm", "layer_norm", 1, 2},
    {"aten.layer_norm", "layer_norm", 2, 3},
    {"aten.rms_norm", "rms_norm", 1, 2},
    {"aten.embedding", "gather", 0, 0},
};
/// The index of the bias among the arguments of a call.
constexpr std::pair<llvm::StringLiteral, size_t> kBiases[] = {
    {"aten.linear", 2}, {"aten.addmm", 0},  {"aten.conv1d", 2},
    {"aten.conv2d", 2}, {"aten.conv3d", 2}, {"aten.convolution", 2},
};
/// Calls whose arguments are the operands of one node in the same order, and the operator of that node.
constexpr std::pair<llvm::StringLiteral, llvm::StringLiteral> kElementwise[] = {
    {"aten.add", "add"}, {"aten.sub", "sub"},       {"aten.mul", "mul"},     {"aten.div", "div"},
    {"aten.pow", "pow"}, {"aten.matmul", "matmul"}, {"aten.maximum", "max"}, {"aten.minimum", "min"},
};

class Namer {
public:
  Namer(const Graph &graph, const ExporterFacts &facts) : graph_(graph), facts_(facts) {
    for (ValueId input : graph_.sources(ValueKind::Input))
      values_.insert(graph_.value(input).name);
    for (const ProgramCall &call : facts_.calls)
      values_.insert(call.result);
  }

  ProgramNames run() {
    llvm::MapVector<uint32_t, llvm::SmallVector<NodeId, 4>> groups;
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      if (const NodeFacts *facts = facts_.of(id); facts && facts->call != kNone) groups[facts->call].push_back(id);
    for (const auto &[call, nodes] : groups)
      nameGroup(call, nodes);
    return std::move(names_);
  }

private:
  struct Source {
    size_t argument;
    std::string placeholder;
    bool isUsed = false;
  };

  bool isSource(llvm::StringRef name) const { return kindOfPlaceholder(name) && !values_.contains(name); }

  /// Names the uses in the nodes of one call: first by the initializers' own names, then by place, then by what is left
  /// over. A parameter of a product that names no use is a dropped bias.
  void nameGroup(uint32_t id, llvm::ArrayRef<NodeId> nodes) {
    const ProgramCall &call = facts_.calls[id];
    llvm::SmallVector<Source, 4> sources;
    for (auto [k, argument] : indexed(call.arguments))
      for (llvm::StringRef name : namesIn(argument))
        if (isSource(name)) sources.push_back({k, name.str()});
    llvm::SmallVector<NamedUse, 4> uses;
    for (NodeId node : nodes)
      for (auto [k, operand] : indexed(graph_.node(node).operands))
        if (graph_.value(operand).kind == ValueKind::Parameter) uses.push_back({{node, unsigned(k)}});
    for (NamedUse &use : uses)
      nameByItself(use, sources);
    for (NamedUse &use : uses)
      if (use.kind == NamedUse::Kind::Unknown) nameByPlace(use, call, nodes.size(), sources);
    nameTheRest(uses, call, sources);
    for (NamedUse &use : uses)
      names_.uses[graph_.node(use.use.node).operands[use.use.operand]].push_back(use);
    for (const auto &[target, argument] : kBiases)
      for (const Source &source : sources)
        if (call.target == target && source.argument == argument && !source.isUsed &&
            kindOfPlaceholder(source.placeholder) == TensorKind::Parameter)
          names_.dropped.push_back({id, source.placeholder, {nodes.begin(), nodes.end()}});
  }

  static void take(NamedUse &use, Source &source) {
    use.kind = NamedUse::Kind::Source;
    use.name = source.placeholder;
    source.isUsed = true;
  }

  /// Names the use by the initializer's own name, if the call names it.
  void nameByItself(NamedUse &use, llvm::MutableArrayRef<Source> sources) const {
    const std::string &name = graph_.value(graph_.node(use.use.node).operands[use.use.operand]).name;
    auto said = facts_.tensors.find(name);
    if (said == facts_.tensors.end()) return;
    for (Source &source : sources) {
      bool isIt = source.placeholder == said->second.placeholder;
      for (const std::string &from : said->second.foldedFrom)
        isIt |= llvm::StringRef(source.placeholder).drop_front(2) == flat(from);
      if (isIt) return take(use, source);
    }
  }

  /// Names the use by the argument that stands in the operand's place.
  void nameByPlace(NamedUse &use, const ProgramCall &call, size_t numNodes,
                   llvm::MutableArrayRef<Source> sources) const {
    const Node &node = graph_.node(use.use.node);
    std::optional<size_t> place;
    for (const OperandRule &rule : kOperandRules)
      if (!place && rule.target == call.target && (rule.op.empty() || node.is(rule.op)) &&
          (rule.operand < 0 || unsigned(rule.operand) == use.use.operand))
        place = rule.argument;
    for (const auto &[target, op] : kElementwise)
      if (!place && numNodes == 1 && target == call.target && node.is(op)) place = use.use.operand;
    if (!place || *place >= call.arguments.size()) return;
    for (Source &source : sources)
      if (source.argument == *place) return take(use, source);
    llvm::StringRef argument = call.arguments[*place];
    use.kind = argument.consume_front("%") ? NamedUse::Kind::Computed : NamedUse::Kind::Number;
    if (use.kind == NamedUse::Kind::Computed) use.name = argument.str();
  }

  /// If as many sources are left as uses, they belong together in order; otherwise the uses are values that no node
  /// computes.
  void nameTheRest(llvm::MutableArrayRef<NamedUse> uses, const ProgramCall &call,
                   llvm::MutableArrayRef<Source> sources) const {
    llvm::SmallVector<NamedUse *, 4> unnamed;
    llvm::SmallVector<Source *, 4> left;
    for (NamedUse &use : uses)
      if (use.kind == NamedUse::Kind::Unknown) unnamed.push_back(&use);
    for (Source &source : sources)
      if (!source.isUsed) left.push_back(&source);
    if (!left.empty() && left.size() == unnamed.size()) {
      for (auto [i, use] : indexed(unnamed))
        take(*use, *left[i]);
      return;
    }
    if (!left.empty()) return;
    for (NamedUse *use : unnamed) {
      const std::string &own = graph_.value(graph_.node(use->use.node).operands[use->use.operand]).name;
      use->kind = NamedUse::Kind::Number;
      for (const std::string &argument : call.arguments)
        for (llvm::StringRef name : namesIn(argument))
          if (name == own) *use = {use->use, NamedUse::Kind::Computed, own};
    }
  }

  const Graph &graph_;
  const ExporterFacts &facts_;
  llvm::StringSet<> values_; ///< names of inputs and of results of calls
  ProgramNames names_;
};

/// Operators of ATen that give the elements of their operand in another shape or order, or some of them, or change
/// nothing. Sorted.
constexpr llvm::StringLiteral kViews[] = {
    "_to_copy", "_unsafe_view",    "alias",   "clone",     "contiguous", "detach", "detach_", "embedding", "flatten",
    "getitem",  "lift_fresh_copy", "narrow",  "permute",   "reshape",    "select", "slice",   "squeeze",   "t",
    "to",       "transpose",       "type_as", "unflatten", "unsqueeze",  "view",
};
constexpr llvm::StringLiteral kCreators[] = {
    "_tensor_constant",
    "arange",
    "empty",
    "eye",
    "full",
    "full_like",
    "lifted_tensor",
    "linspace",
    "new_full",
    "new_ones",
    "new_zeros",
    "ones",
    "ones_like",
    "scalar_tensor",
    "scalar_tensor_default",
    "zeros",
    "zeros_like",
};
/// Other operators that folding evaluates. A name with none of these is that of a parameter or a buffer. Sorted.
constexpr llvm::StringLiteral kFormulas[] = {
    "_softmax",
    "_weight_norm_interface",
    "abs",
    "add",
    "addmm",
    "all",
    "any",
    "baddbmm",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bmm",
    "cat",
    "ceil",
    "clamp",
    "clamp_min",
    "convert_element_type_default",
    "copy",
    "cos",
    "cumsum",
    "diag",
    "diag_embed",
    "diagonal",
    "div",
    "einsum",
    "eq",
    "exp",
    "exp2",
    "expand",
    "expm1",
    "fill",
    "flip",
    "floor",
    "floor_divide",
    "gather",
    "ge",
    "gt",
    "index",
    "index_put",
    "index_select",
    "le",
    "linalg_vector_norm",
    "linear",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "lt",
    "masked_fill",
    "matmul",
    "max",
    "maximum",
    "mean",
    "meshgrid",
    "min",
    "minimum",
    "mm",
    "mul",
    "ne",
    "neg",
    "norm",
    "outer",
    "pow",
    "prod",
    "reciprocal",
    "relu",
    "remainder",
    "repeat",
    "repeat_interleave",
    "roll",
    "rsqrt",
    "rsub",
    "scatter",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "split",
    "split_with_sizes",
    "sqrt",
    "square",
    "stack",
    "std",
    "sub",
    "sum",
    "tan",
    "tanh",
    "tile",
    "tril",
    "triu",
    "unbind",
    "var",
    "where",
};

} // namespace

std::string flat(llvm::StringRef path) {
  std::string text;
  for (char c : path)
    text += llvm::isAlnum(c) ? llvm::toLower(c) : '_';
  return text;
}

llvm::SmallVector<llvm::StringRef, 2> namesIn(llvm::StringRef argument) {
  llvm::SmallVector<llvm::StringRef, 2> names;
  while (!argument.empty()) {
    argument = argument.split('%').second;
    llvm::StringRef name = argument.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

llvm::StringRef operatorOf(llvm::StringRef value) {
  const llvm::StringRef op = value.rtrim("0123456789");
  return op.size() < value.size() && op.endswith("_") ? op.drop_back() : value;
}

ValueOrigin originOf(llvm::StringRef value) {
  const llvm::StringRef op = operatorOf(value);
  if (op == "val") return ValueOrigin::Unnamed;
  if (llvm::is_contained(kViews, op)) return ValueOrigin::View;
  return llvm::is_contained(kCreators, op) ? ValueOrigin::Created : ValueOrigin::Formula;
}

FoldedFrom foldedFrom(llvm::StringRef initializer, const ExporterFacts &facts) {
  FoldedFrom folded;
  auto said = facts.tensors.find(initializer);
  if (said == facts.tensors.end()) return folded;
  folded.isFormula = !initializer.contains('.') && originOf(initializer) == ValueOrigin::Formula;
  for (const std::string &name : said->second.foldedFrom) {
    auto known = facts.tensors.find(name);
    const bool isTensor = known != facts.tensors.end() && known->second.kind;
    const bool isValue = originOf(name) != ValueOrigin::Formula || llvm::is_contained(kFormulas, operatorOf(name));
    if (isTensor || llvm::StringRef(name).contains('.') || !isValue)
      folded.sources.push_back(name);
    else
      folded.isFormula |= originOf(name) == ValueOrigin::Formula;
  }
  if (operatorOf(initializer) == "embedding") folded.isFormula = false; // the formula computed the indices
  return folded;
}

std::optional<TensorKind> kindOfPlaceholder(llvm::StringRef placeholder) {
  if (placeholder.startswith("p_")) return TensorKind::Parameter;
  if (placeholder.startswith("b_")) return TensorKind::Buffer;
  if (placeholder.startswith("c_")) return TensorKind::Constant;
  return std::nullopt;
}

ProgramNames nameUses(const Graph &graph, const ExporterFacts &facts) { return Namer(graph, facts).run(); }

} // namespace autotp
