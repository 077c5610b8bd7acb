// compiler/onnx/control_flow.cpp: If, Loop and Scan whose control is known when compiling: a branch is chosen, a loop
// is unrolled.
#include "compiler/onnx/formula.h"
#include "compiler/onnx/importer.h"
#include "runtime/base/indexed.h"

#include <limits>

namespace autotp {
namespace {

const onnx::GraphProto *subgraphOf(const onnx::NodeProto &node, llvm::StringRef name) {
  for (const auto &attribute : node.attribute())
    if (attribute.name() == name && attribute.has_g()) return &attribute.g();
  return nullptr;
}

/// The number that a value is known to be.
std::optional<double> knownNumber(const Graph &graph, ValueId id) {
  if (id == kNone || isSequence(id)) return std::nullopt;
  const Value &value = graph.value(id);
  if (value.kind != ValueKind::Constant || !value.contents || value.type.elements() != 1) return std::nullopt;
  return toArray(*value.contents).data[0];
}

template <typename Named> std::vector<std::string> namesOf(const Named &values) {
  std::vector<std::string> names;
  for (const auto &value : values)
    names.push_back(value.name());
  return names;
}

/// The axes and directions along which a Scan takes its operands apart and stacks its results.
struct ScanDirections {
  std::vector<int64_t> axes, turned, leftAxes, leftTurned;

  llvm::Error read(NodeImport &node, size_t scanned, size_t left) {
    for (auto [list, name, count] : {std::tuple(&axes, "scan_input_axes", scanned),
                                     {&turned, "scan_input_directions", scanned},
                                     {&leftAxes, "scan_output_axes", left},
                                     {&leftTurned, "scan_output_directions", left}}) {
      *list = node.integers(name).value_or(std::vector<int64_t>(count, 0));
      if (list->size() != count) return node.fail(llvm::Twine(name) + " does not fit its body");
    }
    return llvm::Error::success();
  }
};

/// The results of the iterations, stacked; kNone if there are none, or they are sequences.
ValueId collected(Formula &f, llvm::ArrayRef<ValueId> elements, int64_t axis) {
  const bool areValues = llvm::none_of(elements, [](ValueId v) { return v == kNone || isSequence(v); });
  return elements.empty() || !areValues ? kNone : stacked(f, elements, axis);
}

constexpr int64_t kMostIterations = 1 << 14; ///< the most iterations of a loop that is unrolled

constexpr ImportDef kLoop = {"", "Loop", 0, nullptr};

} // namespace

bool isControlFlow(const onnx::NodeProto &node) {
  return node.domain().empty() && (node.op_type() == "If" || node.op_type() == "Loop" || node.op_type() == "Scan");
}

const onnx::GraphProto *bodyOf(const onnx::NodeProto &node) {
  return node.op_type() == "If" ? nullptr : subgraphOf(node, "body");
}

Importer::Results Importer::addControlFlow(const onnx::NodeProto &node, const std::string &name,
                                           llvm::ArrayRef<ValueId> operands, const Scope &scope) {
  if (scope.depth == kDeepestCall)
    return problem("node '" + escaped(name) + "'", "graphs lie too deeply in each other");
  if (node.op_type() == "If") return addBranch(node, name, operands, scope);
  NodeImport import(kLoop, model.graph, sequences_, node, operands, folder_, name);
  return node.op_type() == "Loop" ? addLoop(import, name, scope) : addScan(import, name, scope);
}

/// Adds the branch that the condition of an If, known when compiling, chooses.
Importer::Results Importer::addBranch(const onnx::NodeProto &node, const std::string &name,
                                      llvm::ArrayRef<ValueId> operands, const Scope &scope) {
  std::string where = "node '" + escaped(name) + "' (If)";
  auto condition = operands.size() == 1 ? knownNumber(model.graph, operands[0]) : std::nullopt;
  if (!condition) return problem(where, "its condition depends on an input", "export the model without branches");
  llvm::StringRef wanted = *condition != 0 ? "then_branch" : "else_branch";
  const onnx::GraphProto *branch = subgraphOf(node, wanted);
  if (!branch) return problem(where, "it has no " + wanted.str());
  Scope inner{.outer = &scope, .prefix = name + "/", .depth = scope.depth + 1};
  if (llvm::Error error = addInitializers(*branch, inner)) return error;
  if (llvm::Error error = addNodes(branch->node(), inner)) return error;
  return found(namesOf(branch->output()), inner);
}

/// Adds one run of a body, whose initializers are in `shared`.
Importer::Results Importer::addIteration(const onnx::GraphProto &body, llvm::ArrayRef<ValueId> inputs,
                                         const std::string &prefix, const Scope &shared) {
  Scope once{.outer = &shared, .prefix = prefix, .depth = shared.depth};
  for (auto [k, input] : indexed(body.input()))
    if (llvm::Error error = once.define(input.name(), inputs[k])) return error;
  if (llvm::Error error = addNodes(body.node(), once)) return error;
  return found(namesOf(body.output()), once);
}

/// Operands: the number of iterations, the condition, and the carried values. Results: the last carried values, then
/// the values of all iterations, stacked.
Importer::Results Importer::addLoop(NodeImport &node, const std::string &name, const Scope &scope) {
  const onnx::GraphProto *body = subgraphOf(node.proto(), "body");
  const size_t carried = node.numOperands() < 2 ? 0 : node.numOperands() - 2;
  if (!body || size_t(body->input_size()) != carried + 2 || size_t(body->output_size()) < carried + 1)
    return node.fail("its body does not fit its operands");
  std::optional<double> most = std::numeric_limits<double>::infinity(), goesOn = 1;
  if (node.has(0)) most = knownNumber(model.graph, node[0]);
  if (node.has(1)) goesOn = knownNumber(model.graph, node[1]);
  Scope shared{.outer = &scope, .prefix = name + "/", .depth = scope.depth + 1};
  if (llvm::Error error = addInitializers(*body, shared)) return error;
  llvm::SmallVector<ValueId, 4> state;
  if (carried) llvm::append_range(state, node.operands().drop_front(2));
  std::vector<Sequences::Elements> left(size_t(body->output_size()) - 1 - carried);
  const bool isVector = body->input(0).type().tensor_type().shape().dim_size() == 1;
  for (int64_t i = 0; most && goesOn && *goesOn != 0 && double(i) < *most; ++i) {
    if (i == kMostIterations) return node.fail("it runs too often to be unrolled");
    llvm::SmallVector<ValueId, 6> inputs = {isVector ? node.integerConstant({i}) : node.scalar(DType::I64, double(i)),
                                            node.scalar(DType::Bool, 1)};
    inputs.append(state);
    auto results = addIteration(*body, inputs, name + "/" + std::to_string(i) + "/", shared);
    if (!results) return results;
    goesOn = knownNumber(model.graph, (*results)[0]);
    state.assign(results->begin() + 1, results->begin() + 1 + carried);
    for (auto [j, elements] : indexed(left))
      elements.push_back((*results)[1 + carried + j]);
  }
  if (!most || !goesOn)
    return node.fail("how often it runs depends on an input", "export the model with static shapes, without loops");
  llvm::SmallVector<ValueId, 2> results(state.begin(), state.end());
  Formula f(node);
  for (const Sequences::Elements &elements : left)
    results.push_back(collected(f, elements, 0));
  if (f.isBroken()) return f.takeError();
  return results;
}

/// Operands: the carried values, then the scanned ones; iteration i reads the i-th slice of each.
Importer::Results Importer::addScan(NodeImport &node, const std::string &name, const Scope &scope) {
  const onnx::GraphProto *body = subgraphOf(node.proto(), "body");
  const int64_t scanned = node.integer("num_scan_inputs", 0), carried = int64_t(node.numOperands()) - scanned;
  if (!body || scanned < 1 || carried < 0 || body->input_size() != int(node.numOperands()) ||
      body->output_size() < carried ||
      llvm::any_of(node.operands(), [](ValueId v) { return v == kNone || isSequence(v); }))
    return node.fail("its body does not fit its operands");
  std::vector<Sequences::Elements> left(size_t(body->output_size() - carried));
  ScanDirections along;
  if (llvm::Error error = along.read(node, size_t(scanned), left.size())) return error;
  int64_t count = -1;
  for (int64_t k = 0; k < scanned; ++k) {
    auto axis = node.axis(along.axes[k], node.type(size_t(carried + k)).shape.size());
    if (!axis) return axis.takeError();
    along.axes[k] = *axis;
    const int64_t size = node.type(size_t(carried + k)).shape[*axis];
    if (count >= 0 && size != count) return node.fail("what it scans differs in length");
    count = size;
  }
  if (count > kMostIterations) return node.fail("it runs too often to be unrolled");
  Scope shared{.outer = &scope, .prefix = name + "/", .depth = scope.depth + 1};
  if (llvm::Error error = addInitializers(*body, shared)) return error;
  llvm::SmallVector<ValueId, 4> state(node.operands().begin(), node.operands().begin() + carried);
  Formula f(node);
  for (int64_t i = 0; i < count; ++i) {
    llvm::SmallVector<ValueId, 6> inputs(state.begin(), state.end());
    for (int64_t k = 0; k < scanned; ++k) {
      ValueId part = f.slice(node[size_t(carried + k)], along.axes[k], along.turned[k] ? count - 1 - i : i, 1);
      Shape shape = f.typeOf(part).shape;
      if (!f.isBroken(part)) shape.erase(shape.begin() + along.axes[k]);
      inputs.push_back(f.reshape(part, shape));
    }
    if (f.isBroken()) return f.takeError();
    auto results = addIteration(*body, inputs, name + "/" + std::to_string(i) + "/", shared);
    if (!results) return results;
    state.assign(results->begin(), results->begin() + carried);
    for (auto [j, elements] : indexed(left))
      elements.insert(along.leftTurned[j] ? elements.begin() : elements.end(), (*results)[size_t(carried) + j]);
  }
  llvm::SmallVector<ValueId, 2> results(state.begin(), state.end());
  for (auto [j, elements] : indexed(left)) {
    const size_t rank = elements.empty() ? 1 : f.typeOf(elements[0]).shape.size() + 1;
    auto axis = node.axis(along.leftAxes[j], rank);
    if (!axis) return axis.takeError();
    results.push_back(collected(f, elements, *axis));
  }
  if (f.isBroken()) return f.takeError();
  return results;
}

} // namespace autotp
