// compiler/onnx/network.cpp: normalisation, softmax and losses.
#include "compiler/onnx/import_table.h"

namespace autotp {
namespace {

llvm::Error importSoftmax(NodeImport &node) {
  size_t rank = node.type(0).shape.size();
  auto axis = node.axis(node.integer("axis", -1), rank);
  if (!axis) return axis.takeError();
  ValueId x = node[0];
  llvm::SmallVector<int64_t, 6> perm;
  for (int64_t d = 0; d < int64_t(rank); ++d)
    perm.push_back(d);
  std::swap(perm[*axis], perm.back());
  bool isLast = *axis + 1 == int64_t(rank);
  if (!isLast) {
    auto turned = node.make("transpose", {x}, {{"perm", perm}});
    if (!turned) return turned.takeError();
    x = *turned;
  }
  auto result = node.make("softmax", {x});
  if (!result) return result.takeError();
  return node.result(isLast ? std::move(result) : node.make("transpose", {*result}, {{"perm", perm}}));
}

llvm::Error importNorm(NodeImport &node, llvm::StringRef op, bool hasBias) {
  const Type x = node.type(0);
  auto axis = node.axis(node.integer("axis", -1), x.shape.size());
  if (!axis) return axis.takeError();
  if (*axis + 1 != int64_t(x.shape.size())) return node.fail("it normalises over more than the last dimension");
  llvm::SmallVector<ValueId, 3> operands = {node[0], node[1]};
  if (hasBias && node.has(2)) operands.push_back(node[2]);
  if (hasBias && !node.has(2)) {
    Array zeros(Type{x.dtype, {x.shape.back()}});
    operands.push_back(node.constantOf(toTensor(zeros)));
  }
  auto all = node.makeMany(op, operands, {{"epsilon", node.real("epsilon", 1e-5)}});
  if (!all) return all.takeError();
  for (size_t j = 0; j < node.numResults() && j < all->size(); ++j) {
    Shape shape = node.graph().type((*all)[j]).shape;
    if (j > 0) shape.push_back(1); // ONNX keeps the dimension that mean and scale were taken over
    if (llvm::Error error = node.result(node.reshape((*all)[j], shape))) return error;
  }
  return llvm::Error::success();
}
llvm::Error importLayerNorm(NodeImport &node) { return importNorm(node, "layer_norm", true); }
llvm::Error importRmsNorm(NodeImport &node) { return importNorm(node, "rms_norm", false); }

/// Classes are dimension 1 of [n, c, ..]: they go last, and the others become rows.
llvm::Error importCrossEntropy(NodeImport &node) {
  if (node.text("reduction", "mean") != "mean") return node.fail("only the mean is supported as reduction");
  if (node.has(2)) return node.fail("class weights are not supported");
  const Type scores = node.type(0);
  if (scores.shape.size() < 2) return node.fail("its scores need a dimension of classes");
  ValueId logits = node[0];
  int64_t classes = scores.shape[1];
  if (scores.shape.size() > 2) {
    llvm::SmallVector<int64_t, 6> perm = {0};
    for (int64_t d = 2; d < int64_t(scores.shape.size()); ++d)
      perm.push_back(d);
    perm.push_back(1);
    auto turned = node.make("transpose", {logits}, {{"perm", perm}});
    if (!turned) return turned.takeError();
    logits = *turned;
  }
  int64_t rows = node.type(1).elements();
  auto flat = node.reshape(logits, {rows, classes});
  if (!flat) return flat.takeError();
  auto labels = node.reshape(node[1], {rows});
  if (!labels) return labels.takeError();
  if (node.graph().type(*labels).dtype != DType::I64) {
    auto wide = node.make("cast", {*labels}, {}, Type{DType::I64, {rows}});
    if (!wide) return wide.takeError();
    labels = *wide;
  }
  // Without an ignore_index every row counts: no label is this one.
  auto all =
      node.makeMany("cross_entropy", {*flat, *labels}, {{"ignore_index", node.integer("ignore_index", INT64_MIN)}});
  if (!all) return all.takeError();
  return node.result(node.make("div", {(*all)[0], (*all)[1]}));
}

const ImportDef kImports[] = {
    {"", "LayerNormalization", 2, importLayerNorm},
    {"", "RMSNormalization", 2, importRmsNorm},
    {"", "Softmax", 1, importSoftmax},
    {"", "SoftmaxCrossEntropyLoss", 2, importCrossEntropy},
};

} // namespace

llvm::ArrayRef<ImportDef> networkImports() { return kImports; }

} // namespace autotp
