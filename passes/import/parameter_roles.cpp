#include "passes/import/parameter_roles.h"

#include "compiler/ops/op_def.h"
#include "passes/import/known_tables.h"

namespace autotp {
namespace {

constexpr int kDeepest = 8; ///< operators between a table and what tells its role

bool isView(const Node &node) {
  return node.is("reshape") || node.is("transpose") || node.is("cast") || node.is("expand") || node.is("slice");
}

ValueId otherOperand(const Node &node, unsigned operand) { return node.operands[operand == 0 ? 1 : 0]; }

} // namespace

ParameterRoles::ParameterRoles(const Graph &graph)
    : g_(graph), dependsOnInput_(graph.numValues(), false), isEmbedding_(graph.numValues(), false),
      isLearned_(graph.numValues(), false), hasGradient_(graph.numValues(), false), isLinear_(graph.numValues(), false),
      strength_(graph.numValues(), Strength::None) {
  for (ValueId id : g_.sources(ValueKind::Input))
    dependsOnInput_[id] = true;
  for (ValueId id : g_.sources(ValueKind::Parameter))
    isLearned_[id] = true;
  const std::vector<NodeId> order = g_.order();
  for (NodeId id : order)
    findEmbeddings(id);
  for (const Output &output : g_.outputs) {
    hasGradient_[output.value] = true;
    isLinear_[output.value] = output.name == "loss";
  }
  for (NodeId id : llvm::reverse(order)) // a value's uses stand behind it
    findGradients(id);
  for (NodeId id : llvm::reverse(order))
    for (unsigned k = 0; k < g_.node(id).operands.size(); ++k) {
      Strength &known = strength_[g_.node(id).operands[k]];
      known = std::max(known, strengthOf({id, k}, 0));
    }
}

void ParameterRoles::findEmbeddings(NodeId id) {
  const Node &node = g_.node(id);
  for (ValueId operand : node.operands)
    for (ValueId result : node.results) {
      if (dependsOnInput_[operand]) dependsOnInput_[result] = true;
      if (isLearned_[operand]) isLearned_[result] = true;
    }
  if (dependsOnInput_[node.results[0]]) isEmbedding_[node.results[0]] = isEmbedding(node);
}

void ParameterRoles::findGradients(NodeId id) {
  const Node &node = g_.node(id);
  const OpDef &row = opOf(node);
  const bool isSmooth = row.gradient && llvm::any_of(node.results, [&](ValueId v) { return hasGradient_[v]; });
  for (unsigned k = 0; k < node.operands.size(); ++k) {
    const ValueId operand = node.operands[k];
    if (isSmooth && isFloat(g_.type(operand).dtype)) hasGradient_[operand] = true;
    isLinear_[operand] = llvm::all_of(g_.value(operand).uses, [&](Use use) {
      const Node &user = g_.node(use.node);
      const bool isDivisor = user.is("div") && use.operand == 1; // a sum of weights
      return isLinear_[user.results[0]] && (isDivisor || isLinearIn(g_, user, use.operand));
    });
  }
}

/// What a lookup of an initializer by the input gave, or a sum or a view of such.
bool ParameterRoles::isEmbedding(const Node &node) const {
  if (node.is("gather")) return g_.value(node.operands[0]).kind == ValueKind::Parameter;
  if (isView(node)) return isEmbedding_[node.operands[0]];
  return node.is("add") && (isEmbedding_[node.operands[0]] || isEmbedding_[node.operands[1]]);
}

ParameterRoles::Strength ParameterRoles::strengthOf(Use use, int depth) const {
  const Node &node = g_.node(use.node);
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
  if (node.is("concat")) // a token of its own beside those of the input
    return sureIf(g_.type(own).shape.size() > 1);
  if (node.is("where")) return sureIf(use.operand > 0 && isVector(own, result, depth));
  if (node.is("add") && isEmbedding_[otherOperand(node, use.operand)]) return Strength::Sure;
  if (node.is("add") && isTable(own)) // positions of patches; masks are added to scores
    return sureIf(!feedsSoftmax(result, depth));
  if (node.is("add") || node.is("sub") || node.is("mul") || node.is("div")) return strengthOfFactor(use, depth);
  return Strength::None;
}

/// Of what is added to something, or scales it. Beside the input itself it may as well be a mean or a deviation.
ParameterRoles::Strength ParameterRoles::strengthOfFactor(Use use, int depth) const {
  const Node &node = g_.node(use.node);
  const ValueId result = node.results[0], own = node.operands[use.operand], other = otherOperand(node, use.operand);
  const bool scales = node.is("mul") || node.is("div");
  if (isBiasOfOne(use, depth)) return Strength::Sure;
  if (node.is("mul") && isNormalised(other, depth) && !isNumber(own)) return Strength::Sure; // its scale, of any shape
  if (!dependsOnInput_[other] || !isLearned_[other]) return Strength::None;
  if (isVector(own, result, depth)) return Strength::Sure;
  if (isNumber(own)) return isFormulaOfOne(own, depth) ? Strength::Sure : Strength::None;
  return scales && isTable(own) && !isProductOfInputs(other, depth) ? Strength::Scales : Strength::None;
}

/// Whether a formula without an input, whose result is trained, is one of this operand too: a number beside others is
/// not, nor what becomes an angle.
ParameterRoles::Strength ParameterRoles::strengthOfFormula(Use use) const {
  const Node &node = g_.node(use.node);
  const ValueId own = node.operands[use.operand];
  if (isView(node)) return strength_[node.results[0]];
  if (!isFloat(g_.type(node.results[0]).dtype) || node.is("sin") || node.is("cos")) return Strength::None;
  const bool isOne = node.operands.size() == 1;
  if (!isFloat(g_.type(own).dtype) || (isNumber(own) && !isOne && !g_.producer(own))) return Strength::None;
  return strength_[node.results[0]];
}

bool ParameterRoles::isNumber(ValueId value) const { return g_.type(value).elements() == 1; }

/// Such as exp(logit_scale): a mere number is written as what it comes to.
bool ParameterRoles::isFormulaOfOne(ValueId value, int depth) const {
  const Node *node = g_.producer(value);
  if (!node || depth >= kDeepest) return false;
  if (isView(*node)) return isFormulaOfOne(node->operands[0], depth + 1);
  return node->is("exp") || node->is("tanh") || node->is("sigmoid");
}

/// What is added to a product of one column, or to a view of it: a regression head's.
bool ParameterRoles::isBiasOfOne(Use use, int depth) const {
  const Node &node = g_.node(use.node);
  if (!node.is("add") || !isNumber(node.operands[use.operand]) || g_.type(node.operands[use.operand]).shape.empty() ||
      depth >= kDeepest)
    return false;
  const Node *product = g_.producer(otherOperand(node, use.operand));
  for (; product && isView(*product); product = g_.producer(product->operands[0])) {
  }
  return product && product->is("matmul") && g_.type(product->results[0]).shape.back() == 1;
}

/// Frequencies times positions.
bool ParameterRoles::becomesAngle(ValueId value, int depth) const {
  return depth < kDeepest && !g_.value(value).uses.empty() && llvm::all_of(g_.value(value).uses, [&](Use use) {
           const Node &node = g_.node(use.node);
           return node.is("sin") || node.is("cos") ||
                  ((isView(node) || node.is("concat") || node.is("mul")) && becomesAngle(node.results[0], depth + 1));
         });
}

/// What an exporter gives norms that have no scale: one vector of ones for all of them.
bool ParameterRoles::isScaleOfNone(ValueId id) const {
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
bool ParameterRoles::isAdded(ValueId rows, int depth) const {
  return depth < kDeepest && llvm::any_of(g_.value(rows).uses, [&](Use use) {
           const Node &node = g_.node(use.node);
           const bool isMasked = node.is("where") && use.operand > 0;
           if (isView(node) || isMasked) return isAdded(node.results[0], depth + 1);
           return node.is("add") &&
                  (dependsOnInput_[otherOperand(node, use.operand)] || isAdded(node.results[0], depth + 1));
         });
}

/// Something divided by a root, and perhaps scaled and moved by constants: what a norm scales.
bool ParameterRoles::isNormalised(ValueId value, int depth) const {
  const Node *node = g_.producer(value);
  if (!node || depth >= kDeepest) return false;
  if (isView(*node)) return isNormalised(node->operands[0], depth + 1);
  auto isRoot = [&](ValueId v) {
    const Node *made = g_.producer(v);
    if (made && (made->is("reciprocal") || made->is("div"))) made = g_.producer(made->operands.back());
    return made && (made->is("sqrt") || made->is("rsqrt"));
  };
  auto isConstant = [&](ValueId v) { return !dependsOnInput_[v] && !isLearned_[v]; };
  if (node->is("layer_norm") || node->is("rms_norm"))
    return isConstant(node->operands[1]); // it has no scale of its own
  if (node->is("mul") && (isRoot(node->operands[0]) || isRoot(node->operands[1]))) return true;
  if (node->is("div") && isRoot(node->operands[1])) return true;
  if (!node->is("mul") && !node->is("add")) return false;
  return (isConstant(node->operands[1]) && isNormalised(node->operands[0], depth + 1)) ||
         (isConstant(node->operands[0]) && isNormalised(node->operands[1], depth + 1));
}

/// Scores: what masks and decays multiply.
bool ParameterRoles::isProductOfInputs(ValueId value, int depth) const {
  const Node *node = g_.producer(value);
  if (!node || depth >= kDeepest) return false;
  if (node->is("matmul")) return dependsOnInput_[node->operands[0]] && dependsOnInput_[node->operands[1]];
  const bool isOnTheWay = isView(*node) || node->is("mul") || node->is("div");
  return isOnTheWay &&
         llvm::any_of(node->operands, [&](ValueId operand) { return isProductOfInputs(operand, depth + 1); });
}

/// Whether its exponentials are taken, of a softmax or not, behind sums and factors.
bool ParameterRoles::feedsSoftmax(ValueId value, int depth) const {
  constexpr llvm::StringLiteral kOnTheWay[] = {"add", "sub", "mul", "div", "where", "concat", "max", "min"};
  return depth < kDeepest && llvm::any_of(g_.value(value).uses, [&](Use use) {
           const Node &node = g_.node(use.node);
           return node.is("softmax") || node.is("exp") ||
                  ((isView(node) || llvm::is_contained(kOnTheWay, node.op)) &&
                   feedsSoftmax(node.results[0], depth + 1));
         });
}

/// Two dimensions or more that are not 1.
bool ParameterRoles::isTable(ValueId value) const {
  return llvm::count_if(g_.type(value).shape, [](int64_t size) { return size > 1; }) > 1;
}

/// Factors that are spread over larger values, such as the cosines of positions over all heads: no embedding.
bool ParameterRoles::onlyScales(ValueId rows, int depth) const {
  return depth < kDeepest && !g_.value(rows).uses.empty() && llvm::all_of(g_.value(rows).uses, [&](Use use) {
           const Node &node = g_.node(use.node);
           if (isView(node)) return onlyScales(node.results[0], depth + 1);
           if (node.is("rotary")) return use.operand > 0;
           return node.is("mul") && g_.type(node.results[0]).elements() > g_.type(rows).elements() &&
                  dependsOnInput_[otherOperand(node, use.operand)];
         });
}

/// One dimension that is not 1, and that `result` has too: the last one, or another of what no softmax takes.
bool ParameterRoles::isVector(ValueId value, ValueId result, int depth) const {
  const Shape &shape = g_.type(value).shape, &wide = g_.type(result).shape;
  for (size_t back = 1; back <= shape.size(); ++back)
    if (int64_t size = shape[shape.size() - back]; size > 1)
      return size == elementsOf(shape) && size == wide[wide.size() - back] &&
             (back == 1 || !feedsSoftmax(result, depth));
  return false;
}

/// Whether it does nothing but weigh terms, learned ones, of which the loss is a sum: class weights, pos_weight.
bool ParameterRoles::weighsLoss(ValueId value, int depth) const {
  return depth < kDeepest && !g_.value(value).uses.empty() && llvm::all_of(g_.value(value).uses, [&](Use use) {
           const Node &node = g_.node(use.node);
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
  const Value &value = g_.value(initializer);
  const Tensor *contents = value.contents ? &*value.contents : nullptr;
  const Strength strength = strength_[initializer];
  // New parameters hold one number; a buffer of one would be written as that number.
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

/// Whether what tells that it is trained are products with what is computed, none of them a norm's or a term of a sum:
/// the weight of one path beside others is a parameter.
bool ParameterRoles::onlyIsFactor(ValueId value, int depth) const {
  return depth < kDeepest && llvm::all_of(g_.value(value).uses, [&](Use use) {
           const Node &node = g_.node(use.node);
           if (isView(node)) return onlyIsFactor(node.results[0], depth + 1);
           if (strengthOf(use, depth) == Strength::None) return true;
           return (node.is("mul") || node.is("div")) && dependsOnInput_[node.results[0]] &&
                  !isNormalised(otherOperand(node, use.operand), depth) && !isTerm(node.results[0], depth);
         });
}

/// Whether all that becomes of it is a sum with something else that is computed.
bool ParameterRoles::isTerm(ValueId value, int depth) const {
  return depth < kDeepest && !g_.value(value).uses.empty() && llvm::all_of(g_.value(value).uses, [&](Use use) {
           const Node &node = g_.node(use.node);
           if (isView(node)) return isTerm(node.results[0], depth + 1);
           return (node.is("add") || node.is("sub")) && dependsOnInput_[otherOperand(node, use.operand)];
         });
}

/// Whether another table holds the sines of its cosines.
bool ParameterRoles::isRotation(ValueId initializer) const {
  const Value &own = g_.value(initializer);
  for (ValueKind kind : {ValueKind::Parameter, ValueKind::Constant})
    for (ValueId id : g_.sources(kind))
      if (const Value &other = g_.value(id);
          id != initializer && other.type == own.type && other.contents && areRotations(*own.contents, *other.contents))
        return true;
  return false;
}

} // namespace autotp
