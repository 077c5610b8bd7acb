#include "compiler/ops/families.h"
#include "runtime/plan/kernels/kernel_def.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

#include <cassert>

namespace autotp {

llvm::ArrayRef<const OpDef *> allOps() {
  static const std::vector<const OpDef *> rows = [] {
    std::vector<const OpDef *> all;
    for (llvm::ArrayRef<OpDef> family :
         {elementwiseOps(), matmulOps(), reduceOps(), movementOps(), lookupOps(), randomOps(), normOps(),
          attentionOps(), lossOps(), optimizerOps(), collectiveOps()})
      for (const OpDef &row : family)
        all.push_back(&row);
    llvm::sort(all, [](const OpDef *a, const OpDef *b) { return llvm::StringRef(a->name) < b->name; });
    return all;
  }();
  return rows;
}

const OpDef *findOp(llvm::StringRef name) {
  static const llvm::StringMap<const OpDef *> byName = [] {
    llvm::StringMap<const OpDef *> map;
    for (const OpDef *row : allOps())
      map[row->name] = row;
    return map;
  }();
  return byName.lookup(name);
}

/// Node::op is the name in the memory of the row itself, so its address identifies the row.
const OpDef &opOf(const Node &node) {
  static const llvm::DenseMap<const char *, const OpDef *> byAddress = [] {
    llvm::DenseMap<const char *, const OpDef *> map; // only looked up
    for (const OpDef *row : allOps())
      map[row->name] = row;
    return map;
  }();
  auto at = byAddress.find(node.op.data());
  const OpDef *row = at == byAddress.end() ? findOp(node.op) : at->second;
  assert(row && "a node whose operator has no row");
  return *row;
}

llvm::Error checkOperandCount(const OpDef &row, size_t operands) {
  const bool isStated = row.operands[0] >= 0;
  assert((isStated || row.kernel != KernelId::None) && "a row that does not say how many operands it has");
  const int fewest = isStated ? row.operands[0] : signatureOf(row.kernel).fewestOperands(),
            most = isStated ? row.operands[1] : signatureOf(row.kernel).mostOperands();
  const bool isAnyNumber = most >= INT8_MAX;
  if (int64_t(operands) >= fewest && (isAnyNumber || int64_t(operands) <= most)) return llvm::Error::success();
  return typeProblem("it has " + llvm::Twine(operands) + " operands, not " + llvm::Twine(fewest) +
                     (most == fewest ? ""
                      : isAnyNumber  ? " or more"
                                     : " to " + std::to_string(most)));
}

NodeCall::NodeCall(const Graph &graph, const Node &node) : attributes_(node.attributes) {
  for (ValueId operand : node.operands)
    operands_.push_back(graph.type(operand));
  for (ValueId result : node.results)
    results_.push_back(graph.type(result));
}

double flopsOf(const Graph &graph, const Node &node) {
  const OpDef &row = opOf(node);
  return row.flops ? row.flops(NodeCall(graph, node).call()) : 0;
}

bool isLinearIn(const OpDef &row, unsigned operand, DType from, DType to) {
  const bool isCastToIntegers = isFloat(from) && !isFloat(to);
  return !isCastToIntegers && row.hasLinear(operand);
}

bool isLinearIn(const Graph &graph, const Node &node, unsigned operand) {
  return isLinearIn(opOf(node), operand, graph.type(node.operands[operand]).dtype, graph.type(node.results[0]).dtype);
}

llvm::Error typeProblem(const llvm::Twine &what) { return problem("", what.str()); }

llvm::Expected<Types> inferSame(const OpCall &call) { return Types{call.operands[0]}; }

llvm::Error checkShape(const OpCall &call, unsigned k, llvm::StringRef what, llvm::ArrayRef<int64_t> shape) {
  const Type &type = call.operands[k];
  if (llvm::ArrayRef<int64_t>(type.shape) == shape) return llvm::Error::success();
  return typeProblem("its " + what + " is " + type.text() + ", not " +
                     Type{type.dtype, Shape(shape.begin(), shape.end())}.text());
}

llvm::Error checkAlike(llvm::ArrayRef<Type> operands) {
  for (const Type &operand : operands)
    if (!(operand == operands[0]))
      return typeProblem("its operands are " + llvm::Twine(operands[0].text()) + " and " + operand.text() +
                         ", which must be alike");
  return llvm::Error::success();
}

llvm::Expected<Types> inferAlike(const OpCall &call) {
  if (llvm::Error error = checkAlike(call.operands)) return error;
  return inferSame(call);
}

llvm::Expected<Types> inferStated(const OpCall &call) {
  if (call.results.empty()) return typeProblem("its result type must be stated");
  return Types(call.results.begin(), call.results.end());
}

llvm::Expected<Shape> broadcastShapes(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b) {
  Shape shape(std::max(a.size(), b.size()), 1);
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t x = d < a.size() ? a[a.size() - 1 - d] : 1, y = d < b.size() ? b[b.size() - 1 - d] : 1;
    if (x != y && x != 1 && y != 1)
      return typeProblem("shapes [" + llvm::Twine(x) + "] and [" + llvm::Twine(y) + "] do not broadcast in dimension " +
                         llvm::Twine(-int(d) - 1));
    shape[shape.size() - 1 - d] = x == 1 ? y : x;
  }
  return shape;
}

BroadcastWalk::BroadcastWalk(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<Type> operands)
    : index(-1), offsets(operands.size(), 0), shape_(shape.begin(), shape.end()), position_(shape.size(), 0) {
  for (const Type &type : operands) {
    Shape own = stridesOf(type.shape), aligned(shape.size(), 0);
    for (size_t d = 0; d < own.size(); ++d)
      if (type.shape[d] != 1) aligned[shape.size() - own.size() + d] = own[d];
    strides_.push_back(aligned);
  }
}

bool BroadcastWalk::next() {
  if (++index == 0) return elementsOf(shape_) > 0;
  for (size_t d = shape_.size(); d-- > 0;) {
    ++position_[d];
    for (size_t k = 0; k < offsets.size(); ++k)
      offsets[k] += strides_[k][d];
    if (position_[d] < shape_[d]) return true;
    for (size_t k = 0; k < offsets.size(); ++k)
      offsets[k] -= strides_[k][d] * shape_[d];
    position_[d] = 0;
  }
  return false;
}

} // namespace autotp
