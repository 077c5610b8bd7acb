// compiler/onnx/products.cpp: matrix products and reductions.
#include "compiler/onnx/import_table.h"

namespace autotp {
namespace {

llvm::Error importMatMul(NodeImport &node) {
  AUTOTP_TRY(result, node.make("matmul", {node[0], node[1]}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}}));
  node.results.push_back(result);
  return llvm::Error::success();
}

/// alpha * op(a) op(b) + beta * c
llvm::Error importGemm(NodeImport &node) {
  AUTOTP_TRY(product, node.make("matmul", {node[0], node[1]},
                                {{"trans_a", node.integer("transA", 0)}, {"trans_b", node.integer("transB", 0)}}));
  DType dtype = node.type(0).dtype;
  auto scaled = [&](ValueId x, double factor) -> llvm::Expected<ValueId> {
    return factor == 1 ? llvm::Expected<ValueId>(x) : node.make("mul", {x, node.scalar(dtype, factor)});
  };
  AUTOTP_TRY(result, scaled(product, node.real("alpha", 1)));
  if (node.has(2)) {
    AUTOTP_TRY(bias, scaled(node[2], node.real("beta", 1)));
    AUTOTP_TRY(sum, node.make("add", {result, bias}));
    result = sum;
  }
  node.results.push_back(result);
  return llvm::Error::success();
}

/// Axes come as an attribute or an operand; none means all, or nothing where the node says so.
llvm::Expected<llvm::SmallVector<int64_t, 6>> reducedAxes(NodeImport &node) {
  std::vector<int64_t> given;
  if (auto attribute = node.integers("axes")) given = *attribute;
  if (node.has(1)) {
    AUTOTP_TRY(values, node.constantIntegers(1));
    given = values;
  }
  llvm::SmallVector<int64_t, 6> axes;
  size_t rank = node.type(0).shape.size();
  if (given.empty() && !node.integer("noop_with_empty_axes", 0))
    for (size_t d = 0; d < rank; ++d)
      given.push_back(int64_t(d));
  for (int64_t axis : given) {
    AUTOTP_TRY(found, node.axis(axis, rank));
    if (!llvm::is_contained(axes, found)) axes.push_back(found);
  }
  llvm::sort(axes);
  return axes;
}

llvm::Error importReduce(NodeImport &node, llvm::StringRef op, bool isMean) {
  AUTOTP_TRY(axes, reducedAxes(node));
  ValueId result = node[0];
  if (!axes.empty()) {
    AUTOTP_TRY(reduced, node.make(op, {result}, {{"axes", axes}, {"keepdims", node.integer("keepdims", 1)}}));
    result = reduced;
  }
  if (isMean && !isFloat(node.type(0).dtype)) {
    int64_t count = 1;
    for (int64_t axis : axes)
      count *= node.type(0).shape[axis];
    if (count == 0) return node.fail("it is the mean of no elements");
    AUTOTP_TRY(mean,
               node.make("div", {result, node.scalar(node.type(0).dtype, double(count))})); // 1 / count would be 0
    result = mean;
  } else if (isMean) {
    int64_t count = 1;
    for (int64_t axis : axes)
      count *= node.type(0).shape[axis];
    AUTOTP_TRY(mean, node.make("mul", {result, node.scalar(node.type(0).dtype, 1.0 / double(count))}));
    result = mean;
  }
  node.results.push_back(result);
  return llvm::Error::success();
}
llvm::Error importReduceSum(NodeImport &node) { return importReduce(node, "reduce_sum", false); }
llvm::Error importReduceMean(NodeImport &node) { return importReduce(node, "reduce_sum", true); }
llvm::Error importReduceMax(NodeImport &node) { return importReduce(node, "reduce_max", false); }

const ImportDef kImports[] = {
    {"", "Gemm", importGemm},           {"", "MatMul", importMatMul},
    {"", "ReduceMax", importReduceMax}, {"", "ReduceMean", importReduceMean},
    {"", "ReduceSum", importReduceSum},
};

} // namespace

llvm::ArrayRef<ImportDef> productImports() { return kImports; }

} // namespace autotp
