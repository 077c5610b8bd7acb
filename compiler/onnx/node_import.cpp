#include "compiler/onnx/import_table.h"
#include "compiler/ops/evaluate.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"

#include <onnx/defs/schema.h>

namespace autotp {

static constexpr size_t kMostFoldedNodes = 4096; ///< the most nodes that compute a shape
static constexpr int64_t kMostNumbers = 16;      ///< the most elements of an initializer on which a shape may depend

NodeImport::NodeImport(const ImportDef &row, Graph &graph, Sequences &sequences, const onnx::NodeProto &proto,
                       llvm::ArrayRef<ValueId> operands, llvm::StringRef folder, std::string name)
    : row_(row), graph_(graph), sequences_(sequences), proto_(proto), operands_(operands), folder_(folder),
      name_(std::move(name)) {}

const onnx::AttributeProto *NodeImport::attribute(llvm::StringRef name, onnx::AttributeProto::AttributeType type) {
  for (const auto &attribute : proto_.attribute()) {
    if (attribute.name() != name) continue;
    if (attribute.type() == type) return &attribute;
    wrongAttribute_ = name.str();
  }
  return nullptr;
}

bool NodeImport::comesFrom(llvm::StringRef function) const {
  return llvm::any_of(proto_.metadata_props(), [&](const auto &entry) {
    return entry.key() == "pkg.torch.onnx.fx_node" && llvm::StringRef(entry.value()).contains(("." + function).str());
  });
}

int64_t NodeImport::integer(llvm::StringRef name, int64_t otherwise) {
  const auto *a = attribute(name, onnx::AttributeProto::INT);
  return a ? a->i() : otherwise;
}
double NodeImport::real(llvm::StringRef name, double otherwise) {
  const auto *a = attribute(name, onnx::AttributeProto::FLOAT);
  return a ? a->f() : otherwise;
}
std::string NodeImport::text(llvm::StringRef name, llvm::StringRef otherwise) {
  const auto *a = attribute(name, onnx::AttributeProto::STRING);
  return a ? a->s() : otherwise.str();
}
std::optional<std::vector<int64_t>> NodeImport::integers(llvm::StringRef name) {
  const auto *a = attribute(name, onnx::AttributeProto::INTS);
  if (!a) return std::nullopt;
  return std::vector<int64_t>(a->ints().begin(), a->ints().end());
}
std::optional<std::vector<double>> NodeImport::reals(llvm::StringRef name) {
  const auto *a = attribute(name, onnx::AttributeProto::FLOATS);
  if (!a) return std::nullopt;
  return std::vector<double>(a->floats().begin(), a->floats().end());
}
std::vector<std::string> NodeImport::texts(llvm::StringRef name) {
  const auto *a = attribute(name, onnx::AttributeProto::STRINGS);
  return a ? std::vector<std::string>(a->strings().begin(), a->strings().end()) : std::vector<std::string>();
}
llvm::Expected<std::optional<Tensor>> NodeImport::tensor(llvm::StringRef name) {
  const auto *a = attribute(name, onnx::AttributeProto::TENSOR);
  if (!a) return std::nullopt;
  llvm::Expected<Tensor> tensor = readTensor(a->t(), folder_);
  if (!tensor) return fail(tensor.takeError());
  return std::move(*tensor);
}

bool NodeImport::saysMoreThan(llvm::ArrayRef<llvm::StringLiteral> known) const {
  const onnx::OpSchema *schema = onnx::OpSchemaRegistry::Schema(proto_.op_type(), proto_.domain());
  return llvm::any_of(proto_.attribute(), [&](const onnx::AttributeProto &attribute) {
    if (llvm::is_contained(known, attribute.name())) return false;
    if (!schema || !schema->attributes().count(attribute.name())) return true;
    onnx::AttributeProto given = attribute, otherwise = schema->attributes().at(attribute.name()).default_value;
    given.clear_doc_string();
    otherwise.clear_doc_string();
    return given.SerializeAsString() != otherwise.SerializeAsString();
  });
}

std::string NodeImport::where() const { return "node '" + escaped(name_) + "' (" + proto_.op_type() + ")"; }

llvm::Error NodeImport::fail(const llvm::Twine &what, llvm::StringRef remedy) const {
  return problem(where(), what.str(), remedy);
}

llvm::Error NodeImport::fail(llvm::Error error) const { return placed(where(), std::move(error)); }

llvm::Error NodeImport::result(llvm::Expected<ValueId> value) {
  if (!value) return value.takeError();
  results.push_back(*value);
  return llvm::Error::success();
}

llvm::Expected<ValueId> NodeImport::filled(const Type &type, double value) {
  if (llvm::Error error = mustHold(type.shape)) return error;
  return graph_.addConstant("c", filledTensor(type, value));
}

llvm::Error NodeImport::mustHold(llvm::ArrayRef<int64_t> shape, size_t arrays) const {
  const std::optional<int64_t> elements = countElements(shape);
  if (!elements) return fail("a shape of it is negative, or too large");
  if (!graph_.budget) return llvm::Error::success();
  const double all = double(*elements) * double(arrays);
  graph_.budget->takeOperations(all);
  llvm::Error error = graph_.budget->check(all * sizeof(double));
  return error ? fail(std::move(error)) : llvm::Error::success();
}

std::optional<int64_t> countElements(llvm::ArrayRef<int64_t> shape, int64_t most) {
  int64_t count = 1;
  for (int64_t d : shape)
    if (d < 0) return std::nullopt;
  if (llvm::is_contained(shape, 0)) return 0;
  for (int64_t d : shape)
    if (llvm::MulOverflow(count, d, count) || count > most) return std::nullopt;
  return count;
}

bool NodeImport::isConstant(ValueId value) const {
  const Value &v = graph_.value(value);
  return v.kind == ValueKind::Constant && v.contents;
}

const Tensor *NodeImport::constant(ValueId value) const {
  if (!isConstant(value) && !foldNumbers(value)) return nullptr;
  if (llvm::Error error = mustHold(graph_.type(value).shape)) {
    llvm::consumeError(std::move(error)); // said after the import function, as the budget is overdrawn now
    return nullptr;
  }
  return &*graph_.value(value).contents;
}

/// Makes `value` a constant if it is computed from constants and from initializers of a few numbers only. An
/// initializer on which a shape depends is no parameter.
bool NodeImport::foldNumbers(ValueId &value) const {
  auto isKnown = [&](ValueId v) {
    const Value &known = graph_.value(v);
    return isConstant(v) ||
           (known.kind == ValueKind::Parameter && known.contents && known.type.elements() <= kMostNumbers);
  };
  llvm::SmallVector<NodeId, 8> nodes; // the nodes that compute it
  llvm::SmallVector<ValueId, 8> worklist = {value};
  llvm::DenseSet<NodeId> seen;
  while (!worklist.empty()) {
    const ValueId next = worklist.pop_back_val();
    if (isKnown(next)) continue;
    const NodeId producer = graph_.value(next).producer;
    if (producer == kNone || nodes.size() == kMostFoldedNodes) return false;
    if (!seen.insert(producer).second) continue;
    nodes.push_back(producer);
    llvm::append_range(worklist, graph_.node(producer).operands);
  }
  llvm::sort(nodes); // by id, so in the order in which they were made
  llvm::DenseMap<ValueId, Tensor> known;
  auto contentsOf = [&](ValueId v) { return known.count(v) ? known[v] : *graph_.value(v).contents; };
  for (NodeId node : nodes) {
    llvm::SmallVector<Tensor, 4> operands;
    for (ValueId operand : graph_.node(node).operands)
      operands.push_back(contentsOf(operand));
    llvm::Expected<llvm::SmallVector<Tensor, 2>> results = foldNode(graph_, node, operands);
    if (!results) {
      llvm::consumeError(results.takeError()); // said after the import function, as the budget is overdrawn now
      return false;
    }
    for (auto [j, result] : indexed(*results)) {
      if (graph_.budget) graph_.budget->takeBytes(double(result.bytes.size()));
      known[graph_.node(node).results[j]] = std::move(result);
    }
  }
  value = graph_.addConstant("c", contentsOf(value));
  return true;
}

const Tensor *NodeImport::constantOrInitializer(ValueId value) const {
  const Value &v = graph_.value(value);
  const bool isSource = v.kind == ValueKind::Constant || v.kind == ValueKind::Parameter;
  return isSource && v.contents ? &*v.contents : nullptr;
}

llvm::Expected<std::vector<int64_t>> NodeImport::constantIntegers(size_t k) const {
  const Tensor *tensor = constant(operands_[k]);
  if (!tensor)
    return fail("operand " + llvm::Twine(k) + " must be known when compiling, but depends on an input or a weight",
                "export the model with static shapes, or bind its dimensions with --shape");
  constexpr int64_t kMost = 1024; // the most elements, since they are sizes, axes or positions
  if (isFloat(tensor->type.dtype) || tensor->type.elements() > kMost)
    return fail("operand " + llvm::Twine(k) + " must be a few integers, but is " + tensor->type.text());
  Array array = toArray(*tensor);
  std::vector<int64_t> values;
  for (double value : array.data)
    values.push_back(value >= 9.2e18 ? INT64_MAX : value <= -9.2e18 ? INT64_MIN : int64_t(value));
  return values;
}

llvm::Expected<std::vector<int64_t>> NodeImport::constantIntegersOr(size_t k, std::vector<int64_t> otherwise) const {
  return has(k) ? constantIntegers(k) : std::move(otherwise);
}

llvm::Expected<llvm::ArrayRef<ValueId>> NodeImport::sequence(size_t k) const {
  if (!has(k) || !isSequence(operands_[k])) return fail("operand " + llvm::Twine(k) + " is no sequence");
  return sequences_[operands_[k]];
}

llvm::Expected<int64_t> NodeImport::axis(int64_t axis, size_t rank) const {
  int64_t found = axis < 0 ? axis + int64_t(rank) : axis;
  if (found < 0 || found >= int64_t(rank)) return fail("it has no dimension " + llvm::Twine(axis));
  return found;
}

llvm::Expected<int64_t> NodeImport::axisOperand(size_t k) const {
  auto given = constantIntegers(k);
  if (!given) return given.takeError();
  if (given->size() != 1) return fail("it needs one axis");
  return axis((*given)[0], type(0).shape.size());
}

llvm::Expected<llvm::SmallVector<ValueId, 2>> NodeImport::makeMany(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                                                   Attributes attributes, llvm::ArrayRef<Type> stated) {
  if (llvm::is_contained(operands, kNone)) return fail("one of its operands is missing");
  // Before types are inferred from them, since counting their elements must not overflow.
  for (const Type &type : stated)
    if (!countElements(type.shape)) return fail("its result " + type.text() + " is too large");
  Builder builder(graph_);
  builder.origin = name_;
  auto results = builder.tryMake(op, operands, std::move(attributes), stated);
  if (!results) return fail(results.takeError());
  for (ValueId result : *results)
    if (!countElements(graph_.type(result).shape))
      return fail("its result " + graph_.type(result).text() + " is too large");
  // A value without elements is known.
  auto isKnown = [&](ValueId v) { return isConstant(v) || graph_.type(v).elements() == 0; };
  if (!llvm::all_of(operands, isKnown)) return results;
  llvm::SmallVector<Tensor, 4> contents;
  for (ValueId operand : operands)
    contents.push_back(isConstant(operand) ? *graph_.value(operand).contents : Tensor{graph_.type(operand), {}, {}});
  NodeId node = graph_.value((*results)[0]).producer;
  auto folded = foldNode(graph_, node, contents);
  if (!folded) return folded.takeError();
  llvm::SmallVector<ValueId, 2> constants;
  for (Tensor &result : *folded)
    constants.push_back(graph_.addConstant(op, std::move(result)));
  graph_.erase(node);
  return constants;
}

llvm::Expected<ValueId> NodeImport::make(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Attributes attributes,
                                         llvm::ArrayRef<Type> stated) {
  auto all = makeMany(op, operands, std::move(attributes), stated);
  if (!all) return all.takeError();
  return (*all)[0];
}

llvm::Expected<ValueId> NodeImport::reshape(ValueId x, llvm::ArrayRef<int64_t> shape) {
  Type type{graph_.type(x).dtype, Shape(shape.begin(), shape.end())};
  if (type == graph_.type(x)) return x;
  return make("reshape", {x}, {}, type);
}

llvm::Expected<ValueId> NodeImport::slice(ValueId x, int64_t axis, int64_t start, int64_t length, int64_t step) {
  if (start == 0 && step == 1 && length == graph_.type(x).shape[axis]) return x;
  return make("slice", {x}, {{"axis", axis}, {"length", length}, {"start", start}, {"step", step}});
}

llvm::ArrayRef<const ImportDef *> allImports() {
  static const std::vector<const ImportDef *> rows = [] {
    std::vector<const ImportDef *> all;
    for (llvm::ArrayRef<ImportDef> family :
         {constantImports(), elementwiseImports(), productImports(), shapeImports(), networkImports(),
          composedImports(), lookupImports(), einsumImports(), convolutionImports(), attentionImports(),
          sequenceImports(), normalisationImports(), poolingImports(), resizeImports(), arithmeticImports(),
          selectionImports(), scatterImports(), recurrentImports(), trainingImports()})
      for (const ImportDef &row : family)
        all.push_back(&row);
    return all;
  }();
  return rows;
}

const ImportDef *findImport(llvm::StringRef domain, llvm::StringRef name) {
  static const llvm::StringMap<const ImportDef *> rows = [] {
    llvm::StringMap<const ImportDef *> map;
    for (const ImportDef *row : allImports())
      map[(llvm::Twine(row->domain) + "/" + row->name).str()] = row;
    return map;
  }();
  return rows.lookup((domain == "ai.onnx" ? llvm::StringRef() : domain).str() + "/" + name.str());
}

} // namespace autotp
