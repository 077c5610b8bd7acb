// compiler/onnx/constants.cpp: operators whose result is known when compiling.
#include "compiler/onnx/import_table.h"
#include "runtime/base/indexed.h"

#include <cmath>

namespace autotp {
namespace {

llvm::Error importShape(NodeImport &node) {
  llvm::ArrayRef<int64_t> shape = node.type(0).shape;
  int64_t rank = int64_t(shape.size()), start = node.integer("start", 0), end = node.integer("end", rank);
  auto bounded = [&](int64_t x) { return std::clamp<int64_t>(x < 0 ? x + rank : x, 0, rank); };
  start = bounded(start);
  end = std::max(start, bounded(end));
  return node.result(node.integerConstant(shape.slice(start, end - start)));
}

llvm::Error importConstant(NodeImport &node) {
  if (node.proto().attribute_size() != 1) return node.fail("it has other attributes than one value");
  llvm::StringRef name = node.proto().attribute(0).name();
  if (name == "value") {
    auto tensor = node.tensor(name);
    if (!tensor) return tensor.takeError();
    if (*tensor) return node.result(node.constantOf(**tensor));
  }
  if (name == "value_int") return node.result(node.scalar(DType::I64, double(node.integer(name, 0))));
  if (name == "value_float") return node.result(node.scalar(DType::F32, node.real(name, 0)));
  if (auto values = name == "value_ints" ? node.integers(name) : std::nullopt)
    return node.result(node.integerConstant(*values));
  if (auto values = name == "value_floats" ? node.reals(name) : std::nullopt) {
    Array array(Type{DType::F32, {int64_t(values->size())}});
    array.data = *values;
    return node.result(node.constantOf(toTensor(array)));
  }
  return node.fail("its value is of a kind that is not supported");
}

llvm::Error importConstantOfShape(NodeImport &node) {
  auto shape = node.constantIntegers(0);
  if (!shape) return shape.takeError();
  Type type{DType::F32, Shape(shape->begin(), shape->end())};
  double value = 0;
  auto given = node.tensor("value");
  if (!given) return given.takeError();
  if (*given) {
    if ((*given)->type.elements() != 1) return node.fail("its value is no scalar");
    type.dtype = (*given)->type.dtype;
    value = toArray(**given).data[0];
  }
  return node.result(node.filled(type, value));
}

llvm::Error importRange(NodeImport &node) {
  double bounds[3];
  for (size_t k = 0; k < 3; ++k) {
    const Tensor *tensor = node.constant(node[k]);
    if (!tensor || tensor->type.elements() != 1) return node.fail("its bounds must be known when compiling");
    bounds[k] = toArray(*tensor).data[0];
  }
  double count = bounds[2] == 0 ? -1 : std::ceil((bounds[1] - bounds[0]) / bounds[2]);
  if (!(count <= double(kMostElements)) || bounds[2] == 0) return node.fail("its range is endless or too long");
  if (llvm::Error error = node.mustHold({int64_t(std::max(count, 0.0))})) return error;
  Array array(Type{node.type(0).dtype, {int64_t(std::max(count, 0.0))}});
  for (auto [i, element] : indexed(array.data))
    element = bounds[0] + double(i) * bounds[2];
  return node.result(node.constantOf(toTensor(array)));
}

const ImportDef kImports[] = {
    {"", "Constant", 0, importConstant},
    {"", "ConstantOfShape", 1, importConstantOfShape, 0, "its shape must be known when compiling"},
    {"", "Range", 3, importRange, 0, "its bounds must be known when compiling"},
    {"", "Shape", 1, importShape},
};

} // namespace

llvm::ArrayRef<ImportDef> constantImports() { return kImports; }

} // namespace autotp
