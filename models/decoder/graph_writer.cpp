#include "models/decoder/graph_writer.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <numeric>

namespace autotp {

// raw_data is little-endian, as every machine that this project supports.
static void setRaw(onnx::TensorProto *tensor, const void *data, size_t bytes) { tensor->set_raw_data(data, bytes); }

static onnx::AttributeProto attribute(const char *name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

onnx::AttributeProto intAttribute(const char *name, int64_t value) {
  onnx::AttributeProto made = attribute(name, onnx::AttributeProto::INT);
  made.set_i(value);
  return made;
}

onnx::AttributeProto intsAttribute(const char *name, llvm::ArrayRef<int64_t> values) {
  onnx::AttributeProto made = attribute(name, onnx::AttributeProto::INTS);
  for (int64_t value : values)
    made.add_ints(value);
  return made;
}

onnx::AttributeProto floatAttribute(const char *name, float value) {
  onnx::AttributeProto made = attribute(name, onnx::AttributeProto::FLOAT);
  made.set_f(value);
  return made;
}

onnx::AttributeProto textAttribute(const char *name, const char *value) {
  onnx::AttributeProto made = attribute(name, onnx::AttributeProto::STRING);
  made.set_s(value);
  return made;
}

std::string GraphWriter::node(const char *op, std::string result, llvm::ArrayRef<std::string> operands,
                              Attributes attributes) {
  onnx::NodeProto *node = graph_.add_node();
  node->set_op_type(op);
  node->set_name(result);
  for (const std::string &operand : operands)
    node->add_input(operand);
  for (const onnx::AttributeProto &attribute : attributes)
    *node->add_attribute() = attribute;
  node->add_output(result);
  return result;
}

onnx::TensorProto *GraphWriter::initializer(const std::string &name, int32_t type, llvm::ArrayRef<int64_t> shape) {
  onnx::TensorProto *tensor = graph_.add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(type);
  for (int64_t size : shape)
    tensor->add_dims(size);
  return tensor;
}

std::string GraphWriter::number(float value) {
  std::string name = llvm::formatv("number.{0:E9}", value);
  if (constants_.insert(name).second) setRaw(initializer(name, onnx::TensorProto::FLOAT, {}), &value, sizeof value);
  return name;
}

std::string GraphWriter::integer(int64_t value) {
  std::string name = llvm::formatv("integer.{0}", value);
  if (constants_.insert(name).second) setRaw(initializer(name, onnx::TensorProto::INT64, {}), &value, sizeof value);
  return name;
}

std::string GraphWriter::integers(llvm::ArrayRef<int64_t> values) {
  std::string name = llvm::formatv("integers.{0:$[_]}", llvm::make_range(values.begin(), values.end()));
  if (constants_.insert(name).second)
    setRaw(initializer(name, onnx::TensorProto::INT64, {int64_t(values.size())}), values.data(),
           values.size() * sizeof(int64_t));
  return name;
}

std::string GraphWriter::counting(const std::string &name, int64_t count) {
  if (!constants_.insert(name).second) return name;
  std::vector<float> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0.0f);
  return table(name, {count}, values);
}

std::string GraphWriter::table(std::string name, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values) {
  setRaw(initializer(name, onnx::TensorProto::FLOAT, shape), values.data(), values.size() * sizeof(float));
  return name;
}

int GraphWriter::declare(const std::string &name, llvm::ArrayRef<int64_t> shape) {
  initializer(name, onnx::TensorProto::FLOAT, shape);
  return graph_.initializer_size() - 1;
}

void GraphWriter::input(const std::string &name, llvm::ArrayRef<int64_t> shape) {
  onnx::ValueInfoProto *info = graph_.add_input();
  info->set_name(name);
  auto *type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::INT64);
  for (int64_t size : shape)
    type->mutable_shape()->add_dim()->set_dim_value(size);
}

void GraphWriter::scalarOutput(const std::string &name) {
  onnx::ValueInfoProto *info = graph_.add_output();
  info->set_name(name);
  auto *type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape(); // rank 0, which is not "unknown"
}

} // namespace autotp
