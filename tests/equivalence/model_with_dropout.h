/// \file A model of a fixture that drops values, in a file of its own.
#pragma once

#include "tests/fixtures/run_fixture.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <onnx/onnx_pb.h>

#include <fstream>
#include <gtest/gtest.h>

namespace autotp::test {

/// The fixture's model with a dropout after every product and softmax: of heads, features, hidden values and logits.
class ModelWithDropout {
public:
  explicit ModelWithDropout(const std::string &fixture, float ratio = 0.2f) {
    onnx::ModelProto model;
    std::ifstream in(folderOf(fixture) + "/model.onnx", std::ios::binary);
    EXPECT_TRUE(model.ParseFromIstream(&in));
    onnx::GraphProto &graph = *model.mutable_graph();
    addScalar(graph, "dropout_ratio", onnx::TensorProto::FLOAT).add_float_data(ratio);
    addScalar(graph, "dropout_training", onnx::TensorProto::BOOL).add_int32_data(1);
    std::vector<onnx::NodeProto> nodes(graph.node().begin(), graph.node().end());
    graph.clear_node();
    for (onnx::NodeProto &node : nodes) {
      const std::string kept = node.output(0);
      const bool isDropped = node.op_type() == "MatMul" || node.op_type() == "Gemm" || node.op_type() == "Softmax";
      if (isDropped) node.set_output(0, kept + "_before_dropout");
      *graph.add_node() = node;
      if (!isDropped) continue;
      onnx::NodeProto &dropout = *graph.add_node();
      dropout.set_op_type("Dropout");
      for (const std::string &operand : {node.output(0), std::string("dropout_ratio"), std::string("dropout_training")})
        dropout.add_input(operand);
      dropout.add_output(kept);
    }
    int file = 0;
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("autotp-dropout", "onnx", file, path_));
    llvm::raw_fd_ostream(file, true) << model.SerializeAsString();
  }
  ~ModelWithDropout() { llvm::sys::fs::remove(path_); }
  std::string path() const { return path_.str().str(); }

private:
  static onnx::TensorProto &addScalar(onnx::GraphProto &graph, const char *name, int32_t dtype) {
    onnx::TensorProto &tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(dtype);
    return tensor;
  }
  llvm::SmallString<128> path_;
};

} // namespace autotp::test
