#include "passes/import/classify_parameters.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

#include "llvm/Support/Regex.h"

namespace autotp {
namespace {

class Roles {
public:
  explicit Roles(const Graph &graph)
      : g_(graph), dependsOnInput_(graph.numValues(), false), isEmbedding_(graph.numValues(), false),
        trains_(graph.numValues(), false) {
    for (ValueId id : g_.sources(ValueKind::Input))
      dependsOnInput_[id] = true;
    for (NodeId id = g_.first(); id != kNone; id = g_.node(id).next) {
      const Node &node = g_.node(id);
      if (!llvm::any_of(node.operands, [&](ValueId v) { return dependsOnInput_[v]; })) continue;
      for (ValueId result : node.results)
        dependsOnInput_[result] = true;
      isEmbedding_[node.results[0]] = isEmbedding(node);
    }
    const std::vector<NodeId> order = g_.order();
    for (NodeId id : llvm::reverse(order)) // a value's uses stand behind it
      for (unsigned k = 0; k < g_.node(id).operands.size(); ++k)
        if (trains({id, k}, 0)) trains_[g_.node(id).operands[k]] = true;
  }

  bool isTrainable(ValueId initializer) const { return trains_[initializer] && !isScaleOfNone(initializer); }

private:
  /// What a lookup of an initializer by the input gave, or a sum or a view of such.
  bool isEmbedding(const Node &node) const {
    auto isTable = [&](ValueId v) { return g_.value(v).kind == ValueKind::Parameter; };
    if (node.is("gather")) return isTable(node.operands[0]);
    if (isView(node)) return isEmbedding_[node.operands[0]];
    return node.is("add") && (isEmbedding_[node.operands[0]] || isEmbedding_[node.operands[1]]);
  }

  static bool isView(const Node &node) {
    return node.is("reshape") || node.is("transpose") || node.is("cast") || node.is("expand") || node.is("slice");
  }

  bool trains(Use use, int depth) const {
    const Node &node = g_.node(use.node);
    const ValueId result = node.results[0];
    auto other = [&] { return node.operands[use.operand == 0 ? 1 : 0]; };
    if (node.is("gather") && dependsOnInput_[result])
      return use.operand == 0 && !onlyScales(result, depth) && dependsOnInput_[node.operands[1]];
    if (node.is("gather"))
      return use.operand == 0 && !onlyScales(result, depth) && (trains_[result] || isAdded(result, depth));
    if (!dependsOnInput_[result]) return trains_[result] && isFormulaOfWeights(use);
    if (becomesAngle(result, depth)) return false;
    if (node.is("matmul")) return dependsOnInput_[other()];
    if (node.is("layer_norm") || node.is("rms_norm")) return use.operand > 0;
    if (node.is("add") && isEmbedding_[other()]) return true;
    if (node.is("add") && isTable(node.operands[use.operand]) && dependsOnInput_[other()])
      return !feedsSoftmax(result, depth); // positions of patches; masks are added to scores
    if (node.is("concat"))                 // a token of its own beside those of the input
      return g_.type(node.operands[use.operand]).shape.size() > 1;
    if (node.is("mul") && isNormalised(other(), depth)) return true; // its scale, of any shape
    if (node.is("add") || node.is("sub") || node.is("mul"))
      return dependsOnInput_[other()] && isVector(node.operands[use.operand], result, depth);
    if (node.is("where")) return use.operand > 0 && isVector(node.operands[use.operand], result, depth);
    return false;
  }

  /// Whether a formula without an input, whose result is trained, is one of this operand too: numbers are not, nor what
  /// becomes an angle.
  bool isFormulaOfWeights(Use use) const {
    const Node &node = g_.node(use.node);
    if (isView(node)) return true;
    if (!isFloat(g_.type(node.results[0]).dtype) || node.is("sin") || node.is("cos")) return false;
    const Type &type = g_.type(node.operands[use.operand]);
    return isFloat(type.dtype) && type.elements() > 1;
  }

  /// Frequencies times positions.
  bool becomesAngle(ValueId value, int depth) const {
    return depth < 8 && !g_.value(value).uses.empty() && llvm::all_of(g_.value(value).uses, [&](Use use) {
             const Node &node = g_.node(use.node);
             return node.is("sin") || node.is("cos") ||
                    ((isView(node) || node.is("concat") || node.is("mul")) && becomesAngle(node.results[0], depth + 1));
           });
  }

  /// What an exporter gives norms that have no scale: one vector of ones for all of them.
  bool isScaleOfNone(ValueId id) const {
    const Value &value = g_.value(id);
    auto isBare = [&](Use use) {
      const Node &node = g_.node(use.node);
      return node.is("layer_norm") && use.operand == 1 && g_.value(node.operands[2]).kind == ValueKind::Constant;
    };
    if (value.uses.size() < 2 || !llvm::all_of(value.uses, isBare) || !value.contents) return false;
    const std::vector<double> ones = toArray(*value.contents).data;
    return llvm::all_of(ones, [](double x) { return x == 1; });
  }

  /// Rows that a constant chooses and that are added to something computed: a bias by relative positions.
  bool isAdded(ValueId rows, int depth) const {
    return depth < 8 && llvm::any_of(g_.value(rows).uses, [&](Use use) {
             const Node &node = g_.node(use.node);
             if (isView(node)) return isAdded(node.results[0], depth + 1);
             return node.is("add") &&
                    (dependsOnInput_[node.operands[use.operand == 0 ? 1 : 0]] || isAdded(node.results[0], depth + 1));
           });
  }

  /// Something divided by a root: what a norm scales.
  bool isNormalised(ValueId value, int depth) const {
    const Node *node = g_.producer(value);
    if (!node || depth >= 8) return false;
    if (isView(*node)) return isNormalised(node->operands[0], depth + 1);
    auto isRoot = [&](ValueId v) {
      const Node *made = g_.producer(v);
      if (made && made->is("reciprocal")) made = g_.producer(made->operands[0]);
      return made && (made->is("sqrt") || made->is("rsqrt"));
    };
    return (node->is("mul") && (isRoot(node->operands[0]) || isRoot(node->operands[1]))) ||
           (node->is("div") && isRoot(node->operands[1]));
  }

  bool feedsSoftmax(ValueId value, int depth) const {
    return depth < 8 && llvm::any_of(g_.value(value).uses, [&](Use use) {
             const Node &node = g_.node(use.node);
             bool isOnTheWay = isView(node) || node.is("add") || node.is("mul") || node.is("div") || node.is("where");
             return node.is("softmax") || (isOnTheWay && feedsSoftmax(node.results[0], depth + 1));
           });
  }

  /// Two dimensions or more that are not 1.
  bool isTable(ValueId value) const {
    return llvm::count_if(g_.type(value).shape, [](int64_t size) { return size > 1; }) > 1;
  }

  /// Factors that are spread over larger values, such as the cosines of positions over all heads: no embedding.
  bool onlyScales(ValueId rows, int depth) const {
    return depth < 8 && !g_.value(rows).uses.empty() && llvm::all_of(g_.value(rows).uses, [&](Use use) {
             const Node &node = g_.node(use.node);
             if (isView(node)) return onlyScales(node.results[0], depth + 1);
             if (node.is("rotary")) return use.operand > 0;
             return node.is("mul") && g_.type(node.results[0]).elements() > g_.type(rows).elements() &&
                    dependsOnInput_[node.operands[use.operand == 0 ? 1 : 0]];
           });
  }

  /// One dimension that is not 1, and that `result` has too: the last one, or another of what no softmax takes.
  bool isVector(ValueId value, ValueId result, int depth) const {
    const Shape &shape = g_.type(value).shape, &wide = g_.type(result).shape;
    for (size_t back = 1; back <= shape.size(); ++back)
      if (int64_t size = shape[shape.size() - back]; size > 1)
        return size == elementsOf(shape) && size == wide[wide.size() - back] &&
               (back == 1 || !feedsSoftmax(result, depth));
    return false;
  }

  const Graph &g_;
  std::vector<bool> dependsOnInput_, isEmbedding_;
  std::vector<bool> trains_; ///< what a gradient would change for the better: by ValueId
};

/// A flag's regular expression over the names of initializers.
class Pattern {
public:
  Pattern(llvm::StringRef flag, llvm::StringRef text, const llvm::StringMap<std::string> &moduleNames)
      : flag_(flag), text_(text), regex_(text), moduleNames_(moduleNames) {}

  bool matches(llvm::StringRef name) const {
    return !text_.empty() && (regex_.match(name) || regex_.match(moduleNames_.lookup(name)));
  }

  llvm::Error check(const Graph &graph, llvm::ArrayRef<ValueId> initializers) {
    std::string why;
    if (text_.empty()) return llvm::Error::success();
    if (!regex_.isValid(why)) return problem(flag_, "'" + escaped(text_) + "' is no regular expression: " + why);
    if (llvm::any_of(initializers, [&](ValueId v) { return matches(graph.value(v).name); }))
      return llvm::Error::success();
    return problem(flag_, "'" + escaped(text_) + "' matches no initializer",
                   "the manifest of a plan that is compiled without it lists their names");
  }

private:
  llvm::StringRef flag_, text_;
  llvm::Regex regex_;
  const llvm::StringMap<std::string> &moduleNames_;
};

llvm::Error take(Graph &graph, llvm::ArrayRef<ValueId> initializers,
                 llvm::function_ref<bool(ValueId, const std::string &)> isTrained) {
  for (ValueId id : initializers) {
    const std::string &name = graph.value(id).name;
    if (isTrained(id, name))
      graph.parameters.push_back({id, {}});
    else if (!graph.value(id).contents)
      return problem("initializer '" + escaped(name) + "'", "it is no parameter, and its file holds no contents for it",
                     "export its contents, or train it with --train");
    else
      graph.setKind(id, ValueKind::Constant);
  }
  if (graph.parameters.empty()) return problem("model", "it has no parameter to train", "name some with --train REGEX");
  return llvm::Error::success();
}

} // namespace

llvm::Error classifyParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers, const ParameterOverrides &overrides,
                               const llvm::StringMap<std::string> &moduleNames, llvm::ArrayRef<std::string> untrained) {
  Pattern train("--train", overrides.train, moduleNames), freeze("--freeze", overrides.freeze, moduleNames);
  if (llvm::Error error = train.check(graph, initializers)) return error;
  if (llvm::Error error = freeze.check(graph, initializers)) return error;
  Roles roles(graph);
  std::vector<bool> trains(graph.numValues(), false);
  for (ValueId id : initializers)
    trains[id] = roles.isTrainable(id) && !llvm::is_contained(untrained, graph.value(id).name);
  return take(graph, initializers, [&](ValueId id, const std::string &name) {
    return (trains[id] || train.matches(name)) && !freeze.matches(name);
  });
}

llvm::Error takeParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers,
                           llvm::function_ref<bool(const std::string &)> isTrained) {
  return take(graph, initializers, [&](ValueId, const std::string &name) { return isTrained(name); });
}

} // namespace autotp
