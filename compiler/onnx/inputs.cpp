// The inputs of a model, and the sizes of their dynamic dimensions.
#include "compiler/onnx/import_options.h"
#include "compiler/onnx/importer.h"
#include "runtime/base/error.h"

#include <algorithm>

namespace autotp {

/// The name of the batch: of the first dynamic dimension that is the first one of an input and has a name. First
/// dimensions without size and name are the batch as well.
std::string Importer::batchName() const {
  for (const auto &input : proto_.graph().input()) {
    const auto &shape = input.type().tensor_type().shape();
    if (shape.dim_size() > 0 && !shape.dim(0).dim_param().empty()) return shape.dim(0).dim_param();
  }
  return "";
}

llvm::Error Importer::addInputs(const Inputs &inputs) {
  llvm::Error errors = llvm::Error::success();
  std::string batch = batchName();
  for (const auto &input : inputs) {
    auto known = scope.find(input.name()); // older files also list initializers as inputs
    if (known && model.graph.value(*known).kind != ValueKind::Input) continue;
    llvm::Expected<DType> dtype = dtypeOf(input.type().tensor_type().elem_type());
    if (!dtype) return placed("input '" + escaped(input.name()) + "'", dtype.takeError());
    Type type{*dtype, {}};
    if (!input.type().tensor_type().has_shape())
      return problem("input '" + escaped(input.name()) + "'", "it has no shape",
                     "export the model with the shapes of its inputs");
    for (int axis = 0; axis < input.type().tensor_type().shape().dim_size(); ++axis) {
      llvm::Expected<int64_t> size = bind(input, axis, batch);
      model.isBatchDynamic |= isMicroBatch(input, axis, batch);
      if (!size) {
        errors = llvm::joinErrors(std::move(errors), size.takeError());
        continue;
      }
      type.shape.push_back(*size);
    }
    if (!countElements(type.shape))
      return llvm::joinErrors(std::move(errors),
                              problem("input '" + escaped(input.name()) + "'", "its shape is negative or too large"));
    errors = llvm::joinErrors(std::move(errors), scope.define(input.name(), model.graph.addInput(input.name(), type)));
  }
  findInputsWithoutBatch(inputs, batch);
  return errors;
}

void Importer::findInputsWithoutBatch(const Inputs &inputs, const std::string &batch) {
  bool hasDynamicBatch = false;
  for (const auto &input : inputs) {
    const auto &shape = input.type().tensor_type().shape();
    if (shape.dim_size() == 0) continue;
    if (shape.dim(0).has_dim_value())
      model.withoutBatch.insert(input.name());
    else
      hasDynamicBatch |= shape.dim(0).dim_param() == batch || shape.dim(0).dim_param().empty();
  }
  if (!hasDynamicBatch) model.withoutBatch.clear();
}

/// The size that --shape gives to a dynamic dimension, by its place or its name.
std::optional<int64_t> Importer::givenSize(const onnx::ValueInfoProto &input, int axis) const {
  const std::string &name = input.type().tensor_type().shape().dim(axis).dim_param();
  for (const std::string &key : {input.name() + ":" + std::to_string(axis), name})
    if (auto given = options_.shapes.find(key); given != options_.shapes.end()) return given->second;
  return std::nullopt;
}

/// Whether the size of a dimension is the micro-batch.
bool Importer::isMicroBatch(const onnx::ValueInfoProto &input, int axis, const std::string &batch) const {
  const auto &dim = input.type().tensor_type().shape().dim(axis);
  return !dim.has_dim_value() && !givenSize(input, axis) &&
         (dim.dim_param().empty() ? axis == 0 : dim.dim_param() == batch);
}

llvm::Expected<int64_t> Importer::bind(const onnx::ValueInfoProto &input, int axis, const std::string &batch) const {
  constexpr int64_t kLongest = int64_t(1) << 32;
  const auto &dim = input.type().tensor_type().shape().dim(axis);
  const std::string where = "input '" + escaped(input.name()) + "'", place = input.name() + ":" + std::to_string(axis);
  const std::string &name = dim.dim_param();
  if (dim.has_dim_value()) {
    if (dim.dim_value() < 0 || dim.dim_value() > kLongest)
      return problem(where, "a dimension of it is " + std::to_string(dim.dim_value()));
    return dim.dim_value();
  }
  if (std::optional<int64_t> size = givenSize(input, axis)) return *size;
  if (isMicroBatch(input, axis, batch)) return std::max<int64_t>(options_.microBatch, 1);
  const std::string which = name.empty() ? std::to_string(axis) + ", which has no name," : "'" + escaped(name) + "'";
  return problem(where + " of " + path_.str(), "dimension " + which + " has no size",
                 "give it one with --shape " + escaped(name.empty() ? place : name) + "=N");
}

} // namespace autotp
