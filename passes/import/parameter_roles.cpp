#include "passes/import/parameter_roles.h"

#include "compiler/ops/op_def.h"
#include "passes/import/known_tables.h"

namespace autotp {
namespace {

constexpr int kDeepest = 8; ///< the number of operators between a table and the one that tells its role

bool isView(const Node &node) {
  return node.is("reshape") || node.is("transpose") || node.is("cast") || node.is("expand") || node.is("slice");
}

ValueId otherOperand(const Node &node, unsigned operand) { return node.operands[operand == 0 ? 1 : 0]; }

} // namespace

/// Walks forward for what depends on inputs and initializers, then backward for gradients, then backward for strengths.
ParameterRoles::ParameterRoles(const Graph &graph)
    : graph_(graph), dependsOnInput_(graph.numValues(), false), isEmbedding_(graph.numValues(), false),
      isLearned_(graph.numValues(), false), hasGradient_(graph.numValues(), false), isLinear_(graph.numValues(), false),
      strength_(graph.numValues(), Strength::None) {
  for (ValueId id : graph_.sources(ValueKind::Input))
    dependsOnInput_[id] = true;
  for (ValueId id : graph_.sources(ValueKind::Parameter))
    isLearned_[id] = true;
  const std::vector<NodeId> order = graph_.order();
  for (NodeId id : order)
    findEmbeddings(id);
  for (const Output &output : graph_.outputs) {
    hasGradient_[output.value] = true;
    isLinear_[output.value] = output.name == "loss";
  }
  for (NodeId id : llvm::reverse(order)) // backwards, so that uses come before the value
    findGradients(id);
  for (NodeId id : llvm::reverse(order))
    for (unsigned k = 0; k < graph_.node(id).operands.size(); ++k) {
      Strength &known = strength_[graph_.node(id).operands[k]];
      known = std::max(known, strengthOf({id, k}, 0));
    }
}

void ParameterRoles::findEmbeddings(NodeId id) {
  const Node &node = graph_.node(id);
  for (ValueId operand : node.operands)
    for (ValueId result : node.results) {
      if (dependsOnInput_[operand]) dependsOnInput_[result] = true;
      if (isLearned_[operand]) isLearned_[result] = true;
    }
  if (dependsOnInput_[node.results[0]]) isEmbedding_[node.results[0]] = isEmbedding(node);
}

void ParameterRoles::findGradients(NodeId id) {
  const Node &node = graph_.node(id);
  const OpDef &row = opOf(node);
  const bool isSmooth = row.gradient && llvm::any_of(node.results, [&](ValueId v) { return hasGradient_[v]; });
  for (unsigned k = 0; k < node.operands.size(); ++k) {
    const ValueId operand = node.operands[k];
    if (isSmooth && isFloat(graph_.type(operand).dtype)) hasGradient_[operand] = true;
    isLinear_[operand] = llvm::all_of(graph_.value(operand).uses, [&](Use use) {
      const Node &user = graph_.node(use.node);
      const bool isDivisor = user.is("div") && use.operand == 1; // the divisor may be a sum of weights
      return isLinear_[user.results[0]] && (isDivisor || isLinearIn(graph_, user, use.operand));
    });
  }
}

/// Whether the result comes from lookups of initializers by the input, through sums and views only.
bool ParameterRoles::isEmbedding(const Node &node) const {
  if (node.is("gather")) return graph_.value(node.operands[0]).kind == ValueKind::Parameter;
  if (isView(node)) return isEmbedding_[node.operands[0]];
  return node.is("add") && (isEmbedding_[node.operands[0]] || isEmbedding_[node.operands[1]]);
}

ParameterRoles::Strength ParameterRoles::strengthOf(Use use, int depth) const {
  const Node &node = graph_.node(use.node);
  const ValueId result = node.results[0], own = node.operands[use.operand];
  auto sureIf = [](bool is) { return is ? Strength::Sure : Strength::None; };
  if (node.is("gather")) {
    if (use.operand != 0 || onlyScales(result, depth)) return Strength::None;
    return sureIf(dependsOnInput_[result] ? dependsOnInput_[node.operands[1]]
                                          : strength_[result] != Strength::None || isAdded(result, depth));
  }
  if (!dependsOnInput_[result]) return strengthOfFormula(use);
  if (becomesAngle(result, depth)) return Strength::None;
  if (node.is("matmul")) return sureIf(dependsOnInput_[otherOperand(node, use.operand)]);
  if (node.is("layer_norm") || node.is("rms_norm")) return sureIf(use.operand > 0);
  if (node.is("concat")) // an additional token beside those of the input
    return sureIf(graph_.type(own).shape.size() > 1);
  if (node.is("where")) return sureIf(use.operand > 0 && isVector(own, result, depth));
  if (node.is("add") && isEmbedding_[otherOperand(node, use.operand)]) return Strength::Sure;
  if (node.is("add") && isTable(own)) // a table of positions, as of patches; masks are added to scores
    return sureIf(!feedsSoftmax(result, depth));
  if (node.is("add") || node.is("sub") || node.is("mul") || node.is("div")) return strengthOfFactor(use, depth);
  return Strength::None;
}

/// The strength of an addend or factor. Beside the input itself, it may as well be a mean or a deviation of the data.
ParameterRoles::Strength ParameterRoles::strengthOfFactor(Use use, int depth) const {
  const Node &node = graph_.node(use.node);
  const ValueId result = node.results[0], own = node.operands[use.operand], other = otherOperand(node, use.operand);
  const bool scales = node.is("mul") || node.is("div");
  if (isBiasOfOne(use, depth)) return Strength::Sure;
  // The scale of a norm, of any shape.
  if (node.is("mul") && isNormalised(other, depth) && !isNumber(own)) return Strength::Sure;
  if (!dependsOnInput_[other] || !isLearned_[other]) return Strength::None;
  if (isVector(own, result, depth)) return Strength::Sure;
  if (isNumber(own)) return isFormulaOfOne(own, depth) ? Strength::Sure : Strength::None;
  return scales && isTable(own) && !isProductOfInputs(other, depth) ? Strength::Scales : Strength::None;
}

/// If a formula without inputs computes a trained value, its operands are trained, except a number beside other
/// operands and a value that becomes an angle.
ParameterRoles::Strength ParameterRoles::strengthOfFormula(Use use) const {
  const Node &node = graph_.node(use.node);
  const ValueId own = node.operands[use.operand];
  if (isView(node)) return strength_[node.results[0]];
  if (!isFloat(graph_.type(node.results[0]).dtype) || node.is("sin") || node.is("cos")) return Strength::None;
  const bool isOne = node.operands.size() == 1;
  if (!isFloat(graph_.type(own).dtype) || (isNumber(own) && !isOne && !graph_.producer(own))) return Strength::None;
  return strength_[node.results[0]];
}

bool ParameterRoles::isNumber(ValueId value) const { return graph_.type(value).elements() == 1; }

/// Whether the number comes from a formula such as exp(logit_scale). A constant would have been folded to its value.
bool ParameterRoles::isFormulaOfOne(ValueId value, int depth) const {
  const Node *node = graph_.producer(value);
  if (!node || depth >= kDeepest) return false;
  if (isView(*node)) return isFormulaOfOne(node->operands[0], depth + 1);
  return node->is("exp") || node->is("tanh") || node->is("sigmoid");
}

/// Whether the use adds a number to a product of one column, or to a view of it, as a regression head does.
bool ParameterRoles::isBiasOfOne(Use use, int depth) const {
  const Node &node = graph_.node(use.node);
  if (!node.is("add") || !isNumber(node.operands[use.operand]) ||
      graph_.type(node.operands[use.operand]).shape.empty() || depth >= kDeepest)
    return false;
  const Node *product = graph_.producer(otherOperand(node, use.operand));
  for (; product && isView(*product); product = graph_.producer(product->operands[0])) {
  }
  return product && product->is("matmul") && graph_.type(product->results[0]).shape.back() == 1;
}

/// Whether the value is only multiplied and then passed to sin or cos, as frequencies are.
bool ParameterRoles::becomesAngle(ValueId value, int depth) const {
  return depth < kDeepest && !graph_.value(value).uses.empty() && llvm::all_of(graph_.value(value).uses, [&](Use use) {
           const Node &node = graph_.node(use.node);
           return node.is("sin") || node.is("cos") ||
                  ((isView(node) || node.is("concat") || node.is("mul")) && becomesAngle(node.results[0], depth + 1));
         });
}

/// Whether it is the one vector of ones that an exporter gives to all norms without a scale.
bool ParameterRoles::isScaleOfNone(ValueId id) const {
  const Value &value = graph_.value(id);
  auto isBare = [&](Use use) {
    const Node &node = graph_.node(use.node);
    return node.is("layer_norm") && use.operand == 1 && graph_.value(node.operands[2]).kind == ValueKind::Constant;
  };
  if (value.uses.size() < 2 || !llvm::all_of(value.uses, isBare) || !value.contents) return false;
  const std::vector<double> ones = toArray(*value.contents).data;
  return llvm::all_of(ones, [](double x) { return x == 1; });
}

/// Whether looked-up rows are added to a value that depends on the input, as a relative position bias is.
bool ParameterRoles::isAdded(ValueId rows, int depth) const {
  return depth < kDeepest && llvm::any_of(graph_.value(rows).uses, [&](Use use) {
           const Node &node = graph_.node(use.node);
           const bool isMasked = node.is("where") && use.operand > 0;
           if (isView(node) || isMasked) return isAdded(node.results[0], depth + 1);
           return node.is("add") &&
                  (dependsOnInput_[otherOperand(node, use.operand)] || isAdded(node.results[0], depth + 1));
         });
}

/// Whether the value was divided by a root, and perhaps scaled and shifted by constants, so that its factor is the
/// scale of a norm.
bool ParameterRoles::isNormalised(ValueId value, int depth) const {
  const Node *node = graph_.producer(value);
  if (!node || depth >= kDeepest) return false;
  if (isView(*node)) return isNormalised(node->operands[0], depth + 1);
  auto isRoot = [&](ValueId v) {
    const Node *made = graph_.producer(v);
    if (made && (made->is("reciprocal") || made->is("div"))) made = graph_.producer(made->operands.back());
    return made && (made->is("sqrt") || made->is("rsqrt"));
  };
  auto isConstant = [&](ValueId v) { return !dependsOnInput_[v] && !isLearned_[v]; };
  if (node->is("layer_norm") || node->is("rms_norm"))
    return isConstant(node->operands[1]); // only if it has no scale of its own
  if (node->is("mul") && (isRoot(node->operands[0]) || isRoot(node->operands[1]))) return true;
  if (node->is("div") && isRoot(node->operands[1])) return true;
  if (!node->is("mul") && !node->is("add")) return false;
  return (isConstant(node->operands[1]) && isNormalised(node->operands[0], depth + 1)) ||
         (isConstant(node->operands[0]) && isNormalised(node->operands[1], depth + 1));
}

/// Whether the value is a product of two values that depend on the input, as the scores are that masks and decays
/// multiply.
bool ParameterRoles::isProductOfInputs(ValueId value, int depth) const {
  const Node *node = graph_.producer(value);
  if (!node || depth >= kDeepest) return false;
  if (node->is("matmul")) return dependsOnInput_[node->operands[0]] && dependsOnInput_[node->operands[1]];
  const bool isOnTheWay = isView(*node) || node->is("mul") || node->is("div");
  return isOnTheWay &&
         llvm::any_of(node->operands, [&](ValueId operand) { return isProductOfInputs(operand, depth + 1); });
}

/// Whether a softmax or exp takes the value, perhaps after sums and factors.
bool ParameterRoles::feedsSoftmax(ValueId value, int depth) const {
  constexpr llvm::StringLiteral kOnTheWay[] = {"add", "sub", "mul", "div", "where", "concat", "max", "min"};
  return depth < kDeepest && llvm::any_of(graph_.value(value).uses, [&](Use use) {
           const Node &node = graph_.node(use.node);
           return node.is("softmax") || node.is("exp") ||
                  ((isView(node) || llvm::is_contained(kOnTheWay, node.op)) &&
                   feedsSoftmax(node.results[0], depth + 1));
         });
}

/// Whether two or more dimensions are larger than 1.
bool ParameterRoles::isTable(ValueId value) const {
  return llvm::count_if(graph_.type(value).shape, [](int64_t size) { return size > 1; }) > 1;
}

/// Whether looked-up rows are only factors that are broadcast to larger values, as cosines of positions are to all
/// heads. Such rows are no embedding.
bool ParameterRoles::onlyScales(ValueId rows, int depth) const {
  return depth < kDeepest && !graph_.value(rows).uses.empty() && llvm::all_of(graph_.value(rows).uses, [&](Use use) {
           const Node &node = graph_.node(use.node);
           if (isView(node)) return onlyScales(node.results[0], depth + 1);
           if (node.is("rotary")) return use.operand > 0;
           return node.is("mul") && graph_.type(node.results[0]).elements() > graph_.type(rows).elements() &&
                  dependsOnInput_[otherOperand(node, use.operand)];
         });
}

/// Whether one dimension alone is larger than 1, and `result` has it too: as its last dimension, or as another one if
/// no softmax follows.
bool ParameterRoles::isVector(ValueId value, ValueId result, int depth) const {
  const Shape &shape = graph_.type(value).shape, &wide = graph_.type(result).shape;
  for (size_t back = 1; back <= shape.size(); ++back)
    if (int64_t size = shape[shape.size() - back]; size > 1)
      return size == elementsOf(shape) && size == wide[wide.size() - back] &&
             (back == 1 || !feedsSoftmax(result, depth));
  return false;
}

/// Whether the value does nothing but weigh learned terms of a sum that is the loss, as class weights and pos_weight
/// do.
bool ParameterRoles::weighsLoss(ValueId value, int depth) const {
  return depth < kDeepest && !graph_.value(value).uses.empty() && llvm::all_of(graph_.value(value).uses, [&](Use use) {
           const Node &node = graph_.node(use.node);
           const ValueId result = node.results[0];
           const bool isBetweenData = node.operands.size() == 2 && !isLearned_[otherOperand(node, use.operand)];
           if (isView(node) || node.is("reduce_sum") || (node.is("gather") && use.operand == 0))
             return weighsLoss(result, depth + 1);
           if (node.is("div") && use.operand == 1 && isLinear_[result]) return true;
           if (isBetweenData && (node.is("add") || node.is("sub") || node.is("mul")))
             return weighsLoss(result, depth + 1);
           return node.is("mul") && isLinear_[result];
         });
}

ParameterRole ParameterRoles::of(ValueId initializer) const {
  using Kind = ParameterRole::Kind;
  const Value &value = graph_.value(initializer);
  const Tensor *contents = value.contents ? &*value.contents : nullptr;
  const Strength strength = strength_[initializer];
  // A new parameter holds one number throughout. A buffer with one number would have been written as that number.
  const bool isFactor = contents && !isOneNumber(*contents) && onlyIsFactor(initializer, 0);
  if (!hasGradient_[initializer]) return {Kind::Constant, "no gradient reaches it"};
  if (contents && isAdditiveMask(*contents)) return {Kind::Constant, "a mask"};
  if (isScaleOfNone(initializer)) return {Kind::Constant, "ones of norms without a scale"};
  if (weighsLoss(initializer, 0)) return {Kind::Constant, "weights of a loss's terms"};
  if (strength == Strength::Sure) {
    if (contents && isTable(initializer) && isSinusoidal(*contents)) return {Kind::Constant, "sines of positions"};
    return {Kind::Trained, "its role in the graph", false, false, isFactor};
  }
  if (isNumber(initializer)) return {Kind::Constant, "a number", /*isNumber=*/true};
  if (becomesAngle(initializer, 0)) return {Kind::Constant, "frequencies"};
  if (contents && isBinary(*contents)) return {Kind::Constant, "a mask of zeros and ones"};
  if (contents && (isSinusoidal(*contents) || isRotation(initializer))) return {Kind::Constant, "a table of rotations"};
  if (strength == Strength::Scales) return {Kind::Trained, "it scales something learned", false, false, isFactor};
  if (contents && isOneNumber(*contents)) return {Kind::Constant, "one number throughout", false, /*isUniform=*/true};
  if (contents && isSloped(*contents)) return {Kind::Constant, "slopes of positions"};
  return {};
}

/// Whether the only signs that it is trained are products with computed values that are neither the scale of a norm nor
/// terms of a sum. The weight of one path beside others is a parameter.
bool ParameterRoles::onlyIsFactor(ValueId value, int depth) const {
  return depth < kDeepest && llvm::all_of(graph_.value(value).uses, [&](Use use) {
           const Node &node = graph_.node(use.node);
           if (isView(node)) return onlyIsFactor(node.results[0], depth + 1);
           if (strengthOf(use, depth) == Strength::None) return true;
           return (node.is("mul") || node.is("div")) && dependsOnInput_[node.results[0]] &&
                  !isNormalised(otherOperand(node, use.operand), depth) && !isTerm(node.results[0], depth);
         });
}

/// Whether the value is only added to other values that depend on the input.
bool ParameterRoles::isTerm(ValueId value, int depth) const {
  return depth < kDeepest && !graph_.value(value).uses.empty() && llvm::all_of(graph_.value(value).uses, [&](Use use) {
           const Node &node = graph_.node(use.node);
           if (isView(node)) return isTerm(node.results[0], depth + 1);
           return (node.is("add") || node.is("sub")) && dependsOnInput_[otherOperand(node, use.operand)];
         });
}

/// Whether another table of the same type holds the sines of its cosines.
bool ParameterRoles::isRotation(ValueId initializer) const {
  const Value &own = graph_.value(initializer);
  for (ValueKind kind : {ValueKind::Parameter, ValueKind::Constant})
    for (ValueId id : graph_.sources(kind))
      if (const Value &other = graph_.value(id);
          id != initializer && other.type == own.type && other.contents && areRotations(*own.contents, *other.contents))
        return true;
  return false;
}

} // namespace autotp
