// compiler/onnx/products.cpp: matrix products and reductions.
#include "compiler/onnx/import_table.h"

namespace autotp {
namespace {

llvm::Error importMatMul(NodeImport &node) {
  return node.result(node.make("matmul", {node[0], node[1]}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}}));
}

/// alpha * op(a) op(b) + beta * c
llvm::Error importGemm(NodeImport &node) {
  auto product = node.make("matmul", {node[0], node[1]},
                           {{"trans_a", node.integer("transA", 0)}, {"trans_b", node.integer("transB", 0)}});
  if (!product) return product.takeError();
  DType dtype = node.type(0).dtype;
  auto scaled = [&](ValueId x, double factor) -> llvm::Expected<ValueId> {
    return factor == 1 ? llvm::Expected<ValueId>(x) : node.make("mul", {x, node.scalar(dtype, factor)});
  };
  auto result = scaled(*product, node.real("alpha", 1));
  if (!result) return result.takeError();
  if (!node.has(2)) return node.result(*result);
  auto bias = scaled(node[2], node.real("beta", 1));
  if (!bias) return bias.takeError();
  return node.result(node.make("add", {*result, *bias}));
}

/// Axes come as an attribute or an operand; none means all, or nothing where the node says so.
llvm::Expected<llvm::SmallVector<int64_t, 6>> reducedAxes(NodeImport &node) {
  std::vector<int64_t> given;
  if (auto attribute = node.integers("axes")) given = *attribute;
  if (node.has(1)) {
    auto values = node.constantIntegers(1);
    if (!values) return values.takeError();
    given = *values;
  }
  llvm::SmallVector<int64_t, 6> axes;
  size_t rank = node.type(0).shape.size();
  if (given.empty() && !node.integer("noop_with_empty_axes", 0))
    for (size_t d = 0; d < rank; ++d)
      given.push_back(int64_t(d));
  for (int64_t axis : given) {
    auto found = node.axis(axis, rank);
    if (!found) return found.takeError();
    if (!llvm::is_contained(axes, *found)) axes.push_back(*found);
  }
  llvm::sort(axes);
  return axes;
}

llvm::Error importReduce(NodeImport &node, llvm::StringRef op, bool isMean) {
  auto axes = reducedAxes(node);
  if (!axes) return axes.takeError();
  ValueId result = node[0];
  if (!axes->empty()) {
    auto reduced = node.make(op, {result}, {{"axes", *axes}, {"keepdims", node.integer("keepdims", 1)}});
    if (!reduced) return reduced.takeError();
    result = *reduced;
  }
  if (!isMean) return node.result(result);
  int64_t count = 1;
  for (int64_t axis : *axes)
    count *= node.type(0).shape[axis];
  DType dtype = node.type(0).dtype;
  if (isFloat(dtype)) return node.result(node.make("mul", {result, node.scalar(dtype, 1.0 / double(count))}));
  if (count == 0) return node.fail("it is the mean of no elements");
  return node.result(node.make("div", {result, node.scalar(dtype, double(count))})); // 1 / count would be 0
}
llvm::Error importReduceSum(NodeImport &node) { return importReduce(node, "reduce_sum", false); }
llvm::Error importReduceMean(NodeImport &node) { return importReduce(node, "reduce_sum", true); }
llvm::Error importReduceMax(NodeImport &node) { return importReduce(node, "reduce_max", false); }

const ImportDef kImports[] = {
    {"", "Gemm", 2, importGemm},           {"", "MatMul", 2, importMatMul},
    {"", "ReduceMax", 1, importReduceMax}, {"", "ReduceMean", 1, importReduceMean},
    {"", "ReduceSum", 1, importReduceSum},
};

} // namespace

llvm::ArrayRef<ImportDef> productImports() { return kImports; }

} // namespace autotp
