// compiler/onnx/products.cpp: matrix products and reductions.
#include "compiler/onnx/formula.h"

#include <cmath>

namespace autotp {
namespace {

/// A vector becomes a matrix of one row or column, which is removed from the result.
llvm::Error importVectorProduct(NodeImport &node) {
  const Shape a = node.type(0).shape, b = node.type(1).shape;
  if (a.empty() || b.empty()) return node.fail("an operand of it is a scalar");
  Formula f(node);
  ValueId rows = a.size() == 1 ? f.reshape(node[0], {1, a[0]}) : node[0],
          columns = b.size() == 1 ? f.reshape(node[1], {b[0], 1}) : node[1];
  ValueId y = f("matmul", {rows, columns}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
  Shape shape = f.typeOf(y).shape;
  if (f.isBroken(y)) return f.finish(y);
  if (b.size() == 1) shape.pop_back();
  if (a.size() == 1) shape.erase(shape.end() - (b.size() == 1 ? 1 : 2));
  return f.finish(f.reshape(y, shape));
}

llvm::Error importMatMul(NodeImport &node) {
  if (node.type(0).shape.size() < 2 || node.type(1).shape.size() < 2) return importVectorProduct(node);
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

} // namespace

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

namespace {

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
  // As an integer, 1 / count would be 0.
  return node.result(node.make("div", {result, node.scalar(dtype, double(count))}));
}
llvm::Error importReduceSum(NodeImport &node) { return importReduce(node, "reduce_sum", false); }
llvm::Error importReduceMean(NodeImport &node) { return importReduce(node, "reduce_sum", true); }

/// A reduction of a function of x, followed by another function.
llvm::Error importReduceOf(NodeImport &node, llvm::StringRef reduce, ValueId (*before)(Formula &, ValueId),
                           ValueId (*after)(Formula &, ValueId)) {
  auto axes = reducedAxes(node);
  if (!axes) return axes.takeError();
  Formula f(node);
  ValueId x = before(f, node[0]);
  if (!axes->empty()) x = f(reduce, {x}, {{"axes", *axes}, {"keepdims", node.integer("keepdims", 1)}});
  return f.finish(after(f, x));
}
ValueId itself(Formula &, ValueId x) { return x; }
ValueId negated(Formula &f, ValueId x) { return f("neg", {x}); }
ValueId squared(Formula &f, ValueId x) { return f("mul", {x, x}); }
ValueId absolute(Formula &f, ValueId x) { return f("abs", {x}); }
/// The square root of a sum of squares, with gradient 0 at 0, where that of the root is infinite.
ValueId norm(Formula &f, ValueId x) {
  ValueId zero = f.constant(x, 0), isZero = f("equal", {x, zero});
  return f("where", {isZero, zero, f("sqrt", {f("where", {isZero, f.constant(x, 1), x})})});
}
ValueId logarithm(Formula &f, ValueId x) { return f("log", {x}); }

/// Narrow integers are compared as i32. For no elements, the result is the least or largest number of their own type.
llvm::Error importExtreme(NodeImport &node, bool isMax) {
  auto axes = reducedAxes(node);
  if (!axes) return axes.takeError();
  const DType dtype = node.type(0).dtype;
  const bool isNarrow = dtype == DType::Bool || dtype == DType::U8;
  Formula f(node);
  ValueId x = isNarrow ? f.cast(node[0], DType::I32) : node[0];
  if (!axes->empty()) {
    ValueId most = isMax ? x : negated(f, x);
    most = f("reduce_max", {most}, {{"axes", *axes}, {"keepdims", node.integer("keepdims", 1)}});
    x = isMax ? most : negated(f, most);
  }
  if (isNarrow && node.type(0).elements() == 0)
    x = isMax ? f("max", {x, f.constant(x, 0)}) : f("min", {x, f.constant(x, dtype == DType::Bool ? 1 : 255)});
  return f.finish(f.cast(x, dtype));
}
llvm::Error importReduceMax(NodeImport &node) { return importExtreme(node, true); }
llvm::Error importReduceMin(NodeImport &node) { return importExtreme(node, false); }
llvm::Error importReduceL1(NodeImport &node) { return importReduceOf(node, "reduce_sum", absolute, itself); }
llvm::Error importReduceL2(NodeImport &node) { return importReduceOf(node, "reduce_sum", squared, norm); }
llvm::Error importReduceSumSquare(NodeImport &node) { return importReduceOf(node, "reduce_sum", squared, itself); }
llvm::Error importReduceLogSum(NodeImport &node) { return importReduceOf(node, "reduce_sum", itself, logarithm); }

/// Merges the reduced dimensions into one last dimension.
llvm::Error importReduceLogSumExp(NodeImport &node) {
  auto axes = reducedAxes(node);
  if (!axes) return axes.takeError();
  if (axes->empty()) return node.result(node[0]);
  const Shape all = node.type(0).shape;
  llvm::SmallVector<int64_t, 6> perm;
  Shape kept, result;
  for (int64_t d = 0; d < int64_t(all.size()); ++d) {
    const bool isReduced = llvm::is_contained(*axes, d);
    if (!isReduced) {
      perm.push_back(d);
      kept.push_back(all[d]);
    }
    if (!isReduced || node.integer("keepdims", 1)) result.push_back(isReduced ? 1 : all[d]);
  }
  perm.append(axes->begin(), axes->end());
  int64_t reduced = 1;
  for (int64_t axis : *axes)
    reduced *= all[size_t(axis)];
  kept.push_back(reduced);
  Formula f(node);
  return f.finish(f.reshape(f("log_sum_exp", {f.reshape(f.transpose(node[0], perm), kept)}), result));
}

const ImportDef kImports[] = {
    {"", "Gemm", 2, importGemm},
    {"", "MatMul", 2, importMatMul},
    {"", "ReduceMax", 1, importReduceMax},
    {"", "ReduceMean", 1, importReduceMean},
    {"", "ReduceSum", 1, importReduceSum},
    {"", "ReduceMin", 1, importReduceMin},
    {"", "ReduceL1", 1, importReduceL1},
    {"", "ReduceL2", 1, importReduceL2},
    {"", "ReduceSumSquare", 1, importReduceSumSquare},
    {"", "ReduceLogSum", 1, importReduceLogSum},
    {"", "ReduceLogSumExp", 1, importReduceLogSumExp},
};

} // namespace

llvm::ArrayRef<ImportDef> productImports() { return kImports; }

} // namespace autotp
