// A model trains alike however its inputs come: the positions of all samples once or for each, with an input that nothing
// reads, in f64, with a batch that has no name.
#include "tests/compiler/onnx/model_file.h"
#include "tests/faults/command.h"

namespace autotp::test {
namespace {

struct Form {
  int64_t positions = 4;  ///< rows of position_ids
  int64_t batch = 4;      ///< of the others; 0: dynamic, without a name
  bool hasUnused = false; ///< another input
  bool isDouble = false;  ///< parameters and what is computed of them
  std::string compile = "", run = "";
};

class InputForms : public Commands {
protected:
  /// An embedding and positions, a head, a cross-entropy.
  static ModelFile modelOf(const Form &form) {
    ModelFile file;
    auto table = [&](const std::string &name, int64_t rows, int64_t columns) {
      std::vector<double> values;
      for (int64_t i = 0; i < rows * columns; ++i)
        values.push_back(double(float((i * 37 % 101) - 50)) / 64);
      onnx::TensorProto tensor;
      tensor.set_name(name);
      tensor.set_data_type(form.isDouble ? onnx::TensorProto::DOUBLE : onnx::TensorProto::FLOAT);
      tensor.add_dims(rows);
      tensor.add_dims(columns);
      for (double value : values)
        form.isDouble ? tensor.add_double_data(value) : tensor.add_float_data(float(value));
      file.initializer(tensor);
    };
    auto input = [&](const std::string &name, int64_t rows) {
      auto &value = file.input(name, {rows, 6}, onnx::TensorProto::INT64);
      if (rows == 0) value.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->clear_value();
    };
    input("position_ids", form.positions);
    input("ids", form.batch);
    if (form.hasUnused) input("token_type_ids", form.batch);
    input("labels", form.batch);
    table("words", 20, 8);
    table("places", 6, 8);
    table("head", 8, 20);
    file.initializer(integers("rows", {-1, 20}));
    file.initializer(integers("flat", {-1}));
    file.node("Gather", {"words", "ids"}, {"e"});
    file.node("Gather", {"places", "position_ids"}, {"q"});
    file.node("Add", {"e", "q"}, {"h"});
    file.node("MatMul", {"h", "head"}, {"o3"});
    file.node("Reshape", {"o3", "rows"}, {"o"});
    file.node("Reshape", {"labels", "flat"}, {"y"});
    file.node("SoftmaxCrossEntropyLoss", {"o", "y"}, {"loss"});
    file.output("loss");
    return file;
  }

  /// The losses of three steps at a global batch of 4.
  std::string lossesOf(const Form &form) const {
    folder.write("model.onnx", modelOf(form).proto.SerializeAsString());
    succeeds("autotp-compile {}/model.onnx --optimizer sgd --lr 0.5 --shard all -o {}/plan " + form.compile);
    succeeds("autotp-run {}/plan --steps 3 --data synthetic:3 --quiet --log {}/log " + form.run);
    std::string losses;
    llvm::SmallVector<llvm::StringRef> lines;
    const std::string log = contentsOf(folder.path() + "/log");
    llvm::StringRef(log).split(lines, '\n', -1, false);
    for (llvm::StringRef line : lines)
      losses += line.split("\"loss\":").second.split(',').first.take_front(7).str() + " ";
    return losses;
  }
};

TEST_F(InputForms, TrainAlike) {
  const std::string wanted = lossesOf({});
  EXPECT_EQ(llvm::StringRef(wanted).count(' '), 3u) << wanted;
  EXPECT_EQ(lossesOf({.positions = 1}), wanted);
  EXPECT_EQ(lossesOf({.hasUnused = true}), wanted);
  EXPECT_EQ(lossesOf({.isDouble = true}), wanted);
  EXPECT_EQ(lossesOf({.positions = 1, .batch = 0, .compile = "--micro-batch 4"}), wanted);
  // dp makes the batch of four of rows of one, and of two.
  EXPECT_EQ(lossesOf({.positions = 1, .compile = "--micro-batch 2 --dp 2"}), wanted);
  EXPECT_EQ(lossesOf({.positions = 1, .batch = 0, .compile = "--micro-batch 1 --dp 2 --grad-accum 2 --tp 2"}), wanted);
  EXPECT_EQ(lossesOf({.positions = 1,
                      .batch = 0,
                      .hasUnused = true,
                      .isDouble = true,
                      .compile = "--micro-batch 2 --dp 2 --tp 2"}),
            wanted);
}

} // namespace
} // namespace autotp::test
