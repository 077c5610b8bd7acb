/// \file Small ONNX models, good and bad, written into a folder of one test and imported from there.
#pragma once

#include "compiler/onnx/import.h"
#include "compiler/onnx/import_options.h"
#include "compiler/ops/evaluate.h"
#include "runtime/base/error.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cstring>

namespace autotp::test {

inline onnx::TensorProto floats(const std::string &name, std::vector<int64_t> shape, std::vector<float> values) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.mutable_dims()->Assign(shape.begin(), shape.end());
  tensor.mutable_float_data()->Assign(values.begin(), values.end());
  return tensor;
}

inline onnx::TensorProto integers(const std::string &name, std::vector<int64_t> shape, std::vector<int64_t> values) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.mutable_dims()->Assign(shape.begin(), shape.end());
  tensor.mutable_int64_data()->Assign(values.begin(), values.end());
  return tensor;
}
inline onnx::TensorProto integers(const std::string &name, std::vector<int64_t> values) {
  return integers(name, {int64_t(values.size())}, values);
}

inline onnx::TensorProto bools(const std::string &name, std::vector<int64_t> shape, std::vector<int32_t> values) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::BOOL);
  tensor.mutable_dims()->Assign(shape.begin(), shape.end());
  tensor.mutable_int32_data()->Assign(values.begin(), values.end());
  return tensor;
}

inline onnx::AttributeProto attribute(const std::string &name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}
inline onnx::AttributeProto intAttribute(const std::string &name, int64_t value) {
  onnx::AttributeProto a = attribute(name, onnx::AttributeProto::INT);
  a.set_i(value);
  return a;
}
inline onnx::AttributeProto floatAttribute(const std::string &name, float value) {
  onnx::AttributeProto a = attribute(name, onnx::AttributeProto::FLOAT);
  a.set_f(value);
  return a;
}
inline onnx::AttributeProto textAttribute(const std::string &name, const std::string &value) {
  onnx::AttributeProto a = attribute(name, onnx::AttributeProto::STRING);
  a.set_s(value);
  return a;
}
inline onnx::AttributeProto intsAttribute(const std::string &name, std::vector<int64_t> values) {
  onnx::AttributeProto a = attribute(name, onnx::AttributeProto::INTS);
  a.mutable_ints()->Assign(values.begin(), values.end());
  return a;
}
inline onnx::AttributeProto floatsAttribute(const std::string &name, std::vector<float> values) {
  onnx::AttributeProto a = attribute(name, onnx::AttributeProto::FLOATS);
  a.mutable_floats()->Assign(values.begin(), values.end());
  return a;
}
inline onnx::AttributeProto tensorAttribute(const std::string &name, const onnx::TensorProto &value) {
  onnx::AttributeProto a = attribute(name, onnx::AttributeProto::TENSOR);
  *a.mutable_t() = value;
  return a;
}

/// A model of opset 20 that a test fills; every change of `proto` is allowed.
class ModelFile {
public:
  ModelFile() {
    proto.set_ir_version(10);
    proto.add_opset_import()->set_version(20);
    proto.mutable_graph()->set_name("g");
  }

  onnx::NodeProto &node(const std::string &op, std::vector<std::string> operands, std::vector<std::string> results,
                        std::vector<onnx::AttributeProto> attributes = {}) {
    onnx::NodeProto *node = proto.mutable_graph()->add_node();
    node->set_op_type(op);
    node->mutable_input()->Assign(operands.begin(), operands.end());
    node->mutable_output()->Assign(results.begin(), results.end());
    for (const onnx::AttributeProto &attribute : attributes)
      *node->add_attribute() = attribute;
    return *node;
  }
  void initializer(const onnx::TensorProto &tensor) { *proto.mutable_graph()->add_initializer() = tensor; }
  onnx::ValueInfoProto &input(const std::string &name, std::vector<int64_t> shape,
                              int type = onnx::TensorProto::FLOAT) {
    onnx::ValueInfoProto *input = proto.mutable_graph()->add_input();
    input->set_name(name);
    auto *tensor = input->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    tensor->mutable_shape();
    for (int64_t size : shape)
      tensor->mutable_shape()->add_dim()->set_dim_value(size);
    return *input;
  }
  void output(const std::string &name) { proto.mutable_graph()->add_output()->set_name(name); }

  llvm::Expected<ImportedModel> import(const ImportOptions &options = {}) const {
    return importModel(folder.write("model.onnx", proto.SerializeAsString()), options);
  }

  TemporaryFolder folder;
  onnx::ModelProto proto;
};

/// The message of a model that must be refused: one line of error, perhaps one of what to do.
inline std::string refusal(llvm::Expected<ImportedModel> model) {
  if (model) {
    ADD_FAILURE() << "it was imported";
    return "";
  }
  std::string text = describe(model.takeError());
  EXPECT_EQ(llvm::StringRef(text).count("error: "), 1u) << text;
  EXPECT_TRUE(llvm::StringRef(text).startswith("error: ")) << text;
  return text;
}

} // namespace autotp::test
