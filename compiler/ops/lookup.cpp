// compiler/ops/lookup.cpp: lookups of rows or elements by index, and their gradients, which add into the looked-up
// table.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"

#include <numeric>

namespace autotp {
namespace {

llvm::Expected<Types> inferGather(const OpCall &call) {
  if (call.operands[0].shape.empty()) return typeProblem("its table has no dimension");
  if (isFloat(call.operands[1].dtype) || call.operands[1].dtype == DType::Bool)
    return typeProblem("its indices are " + llvm::Twine(call.operands[1].text()));
  Type type{call.operands[0].dtype, call.operands[1].shape};
  type.shape.append(call.operands[0].shape.begin() + 1, call.operands[0].shape.end());
  return Types{type};
}

llvm::Expected<Types> inferScatterAdd(const OpCall &call) {
  llvm::Expected<Types> table = inferStated(call);
  if (!table) return table;
  if ((*table)[0].shape.empty()) return typeProblem("its table has no dimension");
  Shape rows = call.operands[0].shape;
  rows.append((*table)[0].shape.begin() + 1, (*table)[0].shape.end());
  if (llvm::Error error = checkShape(call, 1, "arriving gradient", rows)) return error;
  return table;
}

int64_t rowElements(llvm::ArrayRef<int64_t> table) { return elementsOf(table.drop_front()); }

/// A negative index counts from the end of the whole table, which has {rows} rows if this rank holds only a part of
/// them.
int64_t wrapped(const OpCall &call, double index, int64_t rows) {
  return int64_t(index) + (index < 0 ? call.attributes.integer("rows", rows) : 0);
}

void evaluateGather(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  int64_t rows = in[0]->type.shape[0], width = rowElements(in[0]->type.shape),
          offset = call.attributes.integer("offset");
  for (size_t i = 0; i < in[1]->data.size(); ++i) {
    const int64_t row = wrapped(call, in[1]->data[i], offset + rows) - offset;
    for (int64_t e = 0; e < width; ++e)
      out[0].data[i * width + e] = row >= 0 && row < rows ? in[0]->data[row * width + e] : 0;
  }
}

void evaluateScatterAdd(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  int64_t rows = out[0].type.shape[0], width = rowElements(out[0].type.shape),
          offset = call.attributes.integer("offset");
  for (size_t i = 0; i < in[0]->data.size(); ++i) {
    const int64_t row = wrapped(call, in[0]->data[i], offset + rows) - offset;
    if (row < 0 || row >= rows) continue;
    for (int64_t e = 0; e < width; ++e)
      out[0].data[row * width + e] += in[1]->data[i * width + e];
  }
}

/// The incoming gradient of looked-up rows, with zeros for row `paddingRow`, which no gradient reaches.
ValueId withoutPadding(Builder &b, ValueId rows, ValueId arriving, int64_t paddingRow) {
  const Type type = b.graph.type(arriving);
  Shape apart = b.graph.type(rows).shape;
  apart.resize(type.shape.size(), 1);
  const ValueId isPadding = b.make("equal", {rows, b.scalar(b.graph.type(rows).dtype, double(paddingRow))});
  const ValueId padding = b.makeTyped("cast", {isPadding}, Type{type.dtype, b.graph.type(rows).shape});
  return b.make("mul", {arriving, b.reshape(b.make("sub", {b.scalar(type.dtype, 1), padding}), apart)});
}

void gatherGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  const Type table = b.graph.type(node.operands[0]);
  const int64_t paddingRow = node.attributes.integer("padding_row", -1);
  const ValueId arriving = paddingRow < 0 ? d[0] : withoutPadding(b, node.operands[1], d[0], paddingRow);
  o[0] = b.makeTyped("scatter_add", {node.operands[1], arriving}, table);
}

void scatterAddGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  o[1] = b.make("gather", {d[0], b.graph.node(id).operands[0]});
}

/// Each tp rank looks up the rows that it holds and leaves 0 for the others, so the result is Partial though nothing is
/// contracted.
IndexTerms gatherAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = instantiateText("v h..., i... -> i... h...", arena, call.operands, call.results);
  terms.lookup = terms.ins[0][0];
  llvm::erase_value(terms.contracted[0], terms.lookup);
  return terms;
}

/// A tp rank skips the rows that it does not hold. The result is not Partial because of them.
IndexTerms scatterAddAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = instantiateText("i..., i... h... -> v h...", arena, call.operands, call.results);
  terms.scatter = terms.outs[0][0];
  return terms;
}

llvm::Expected<Types> inferWrapIndex(const OpCall &call) {
  const Type &indices = call.operands[0];
  if (isFloat(indices.dtype) || indices.dtype == DType::Bool || call.attributes.integer("size") < 0)
    return typeProblem("its indices are " + llvm::Twine(indices.text()));
  return inferSame(call);
}

void evaluateWrapIndex(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  for (size_t i = 0; i < out[0].data.size(); ++i)
    out[0].data[i] = in[0]->data[i] + (in[0]->data[i] < 0 ? double(call.attributes.integer("size")) : 0);
}

/// Checks data [.., n] and ids [.., k], whose shapes agree but for the last dimension.
llvm::Error checkPicked(const Type &data, const Type &ids) {
  if (data.shape.empty() || ids.shape.size() != data.shape.size() ||
      llvm::ArrayRef<int64_t>(data.shape).drop_back() != llvm::ArrayRef<int64_t>(ids.shape).drop_back())
    return typeProblem("its indices are " + llvm::Twine(ids.text()) + " for rows of " + data.text());
  if (isFloat(ids.dtype) || ids.dtype == DType::Bool) return typeProblem("its indices are " + llvm::Twine(ids.text()));
  return llvm::Error::success();
}

llvm::Expected<Types> inferGatherElements(const OpCall &call) {
  if (llvm::Error error = checkPicked(call.operands[0], call.operands[1])) return error;
  return Types{Type{call.operands[0].dtype, call.operands[1].shape}};
}

llvm::Expected<Types> inferScatterElements(const OpCall &call) {
  llvm::Expected<Types> data = inferStated(call);
  if (!data) return data;
  if (llvm::Error error = checkPicked((*data)[0], call.operands[0])) return error;
  if (llvm::Error error = checkShape(call, 1, "arriving gradient", call.operands[0].shape)) return error;
  return data;
}

/// Calls `use` with the flat place of each index, and with the flat place in the data that it names, or -1 if another
/// rank holds that element. Negative indices count from the end of all rows.
void forEachPicked(const OpCall &call, const Array &ids, const Type &data,
                   llvm::function_ref<void(size_t, int64_t)> use) {
  const int64_t n = data.shape.back(), k = ids.type.shape.back(), offset = call.attributes.integer("offset"),
                rows = call.attributes.integer("rows", offset + n);
  for (size_t i = 0; i < ids.data.size(); ++i) {
    const int64_t id = int64_t(ids.data[i]), at = (id < 0 ? id + rows : id) - offset;
    use(i, at >= 0 && at < n ? int64_t(i) / k * n + at : -1);
  }
}

void evaluateGatherElements(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  forEachPicked(call, *in[1], in[0]->type,
                [&](size_t i, int64_t at) { out[0].data[i] = at < 0 ? 0 : in[0]->data[size_t(at)]; });
}

void evaluateScatterElements(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  forEachPicked(call, *in[0], out[0].type, [&](size_t i, int64_t at) {
    if (at >= 0) out[0].data[size_t(at)] += in[1]->data[i];
  });
}

void gatherElementsGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Type data = b.graph.type(b.graph.node(id).operands[0]);
  o[0] = b.makeTyped("scatter_elements", {b.graph.node(id).operands[1], d[0]}, data);
}

/// As for gather, each tp rank looks up the elements that it holds and leaves 0 for the others.
IndexTerms gatherElementsAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = instantiateText("r... v, r... k -> r... k", arena, call.operands, call.results);
  terms.lookup = terms.ins[0].back();
  llvm::erase_value(terms.contracted[0], terms.lookup);
  return terms;
}

IndexTerms scatterElementsAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = instantiateText("r... k, r... k -> r... v", arena, call.operands, call.results);
  terms.scatter = terms.outs[0].back();
  return terms;
}

llvm::Expected<Types> inferTopK(const OpCall &call) {
  Type values = call.operands[0];
  int64_t k = call.attributes.integer("k");
  if (values.shape.empty() || k < 0 || k > values.shape.back())
    return typeProblem("it cannot choose " + llvm::Twine(k) + " elements of " + values.text());
  values.shape.back() = k;
  return Types{values, Type{DType::I64, values.shape}};
}

/// Sorts in descending order; of equal elements, the first comes first.
void evaluateTopK(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const int64_t n = call.operands[0].shape.back(), k = call.attributes.integer("k");
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t row = 0; n > 0 && row < int64_t(in[0]->data.size()) / n; ++row) {
    const double *x = in[0]->data.data() + row * n;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return x[a] > x[b]; });
    for (int64_t i = 0; i < k; ++i) {
      out[0].data[row * k + i] = x[order[i]];
      out[1].data[row * k + i] = double(order[i]);
    }
  }
}

/// dx[.., n] = the sum over k of dy[.., k] if choice k is n. This is a sum and not a scatter, so no element is written
/// twice.
void topKGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  const int64_t n = b.graph.type(node.operands[0]).shape.back(), rank = int64_t(b.graph.type(d[0]).shape.size());
  Shape apart = b.graph.type(d[0]).shape;
  apart.push_back(1);
  ValueId places = b.graph.addConstant("places", countingTensor({n}));
  ValueId isChosen = b.make("equal", {b.reshape(node.results[1], apart), places});
  ValueId parts = b.make("where", {isChosen, b.reshape(d[0], apart), b.scalar(b.graph.type(d[0]).dtype, 0)});
  llvm::SmallVector<int64_t, 6> axes = {rank - 1};
  o[0] = b.make("reduce_sum", {parts}, {{"axes", axes}, {"keepdims", int64_t(0)}});
}

const OpDef kOps[] = {
    {.name = "gather",
     .axisRule = gatherAxes,
     .linearIn = operand(0),
     .infer = inferGather,
     .evaluate = evaluateGather,
     .gradient = gatherGradient,
     .kernel = KernelId::Gather},
    {.name = "gather_elements",
     .axisRule = gatherElementsAxes,
     .linearIn = operand(0),
     .infer = inferGatherElements,
     .evaluate = evaluateGatherElements,
     .gradient = gatherElementsGradient,
     .kernel = KernelId::GatherElements},
    {.name = "scatter_add",
     .axisRule = scatterAddAxes,
     .linearIn = operand(1),
     .infer = inferScatterAdd,
     .evaluate = evaluateScatterAdd,
     .gradient = scatterAddGradient,
     .kernel = KernelId::ScatterAdd,
     .precision = Precision::Full},
    {.name = "scatter_elements",
     .axisRule = scatterElementsAxes,
     .linearIn = operand(1),
     .infer = inferScatterElements,
     .evaluate = evaluateScatterElements,
     .kernel = KernelId::ScatterElements,
     .precision = Precision::Full},
    {.name = "top_k",
     .axes = "... n! -> ... k!, ... k!",
     .infer = inferTopK,
     .evaluate = evaluateTopK,
     .gradient = topKGradient,
     .kernel = KernelId::TopK,
     .precision = Precision::Full},
    {.name = "wrap_index",
     .axes = "... -> ...",
     .infer = inferWrapIndex,
     .evaluate = evaluateWrapIndex,
     .kernel = KernelId::WrapIndex,
     .mayReuse = true},
};

} // namespace

llvm::ArrayRef<OpDef> lookupOps() { return kOps; }

} // namespace autotp
