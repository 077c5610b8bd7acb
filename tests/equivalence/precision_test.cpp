// Training in bf16 and in f16 against training in f32, and what the loss scale of f16 does.
#include "runtime/base/error.h"
#include "runtime/base/small_floats.h"
#include "tests/equivalence/fixture.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstring>
#include <fstream>

namespace autotp::test {
namespace {

const char *const kFixture = "llama";
const Mesh kMeshes[] = {{1, 1, 0, 1}, {2, 1, 0, 1}, {2, 2, 2, 1}};

/// A text to learn from, in a file while it lives: the recorded batches last five steps, and random tokens teach
/// nothing. Its sentences are put together from few words, so that the loss falls far within fifty steps.
class Text {
public:
  Text() {
    static constexpr const char *kWords[] = {"the ",  "small ", "model ",  "reads ", "a ",    "long ",
                                             "text ", "and ",   "learns ", "every ", "word ", "of it. "};
    int file = 0;
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("autotp-precision", "txt", file, path_));
    llvm::raw_fd_ostream os(file, true);
    uint64_t state = 1;
    for (int i = 0; i < 4000; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      os << kWords[(state >> 40) % std::size(kWords)];
    }
  }
  ~Text() { llvm::sys::fs::remove(path_); }
  std::string path() const { return path_.str().str(); }

private:
  llvm::SmallString<128> path_;
};

Trained trained(DType dtype, const Mesh &mesh, int64_t steps, const std::string &data, LossScaleOptions scale = {},
                double lr = 1e-3) {
  Expected expected = readExpected(kFixture);
  expected.steps = steps;
  expected.optimizer.lr.peak = lr;
  llvm::Expected<Trained> run = train(kFixture, expected, mesh, {.dtype = dtype, .lossScale = scale, .data = data});
  if (run) return std::move(*run);
  ADD_FAILURE() << nameOf(dtype).str() << " " << mesh.text() << ": " << describe(run.takeError());
  return {};
}

/// The largest relative distance of two loss curves; infinite where one is shorter.
double distance(const Trained &a, const Trained &b) {
  if (a.losses.empty() || a.losses.size() != b.losses.size()) return INFINITY;
  double most = 0;
  for (size_t i = 0; i < a.losses.size(); ++i)
    most = std::max(most, std::fabs(a.losses[i] / b.losses[i] - 1));
  return most;
}

TEST(Precision, FiftyStepsFollowF32) {
  Text text;
  const Trained full = trained(DType::F32, kMeshes[0], 50, text.path());
  ASSERT_EQ(full.losses.size(), 50u);
  EXPECT_LT(full.losses.back(), 0.6 * full.losses.front()); // a curve, and no plain
  for (DType dtype : {DType::BF16, DType::F16}) {
    Trained first;
    for (const Mesh &mesh : kMeshes) {
      const Trained run = trained(dtype, mesh, 50, text.path());
      const double off = distance(run, full);
      llvm::outs() << nameOf(dtype) << " " << mesh.text() << ": within " << off * 100 << "% of f32\n";
      EXPECT_LT(off, 0.01) << nameOf(dtype).str() << " " << mesh.text();
      if (first.losses.empty()) first = run;
      // Ranks round their parts of a sum, and then the sum: as far off as one rank's roundings are.
      EXPECT_LT(distance(run, first), 0.005) << nameOf(dtype).str() << " " << mesh.text();
    }
  }
}

TEST(Precision, EveryStageAndAccumulation) {
  Expected expected = readExpected(kFixture);
  for (DType dtype : {DType::BF16, DType::F16})
    for (const Mesh &mesh : {Mesh{1, 2, 0, 2}, Mesh{1, 2, 1, 1}, Mesh{1, 2, 2, 2}, Mesh{4, 1, 2, 1}, Mesh{3, 2, 2, 1},
                             Mesh{2, 2, 3, 2}, Mesh{1, 4, 3, 1}}) {
      const Trained run = trained(dtype, mesh, 5, "");
      ASSERT_EQ(run.losses.size(), 5u);
      for (size_t i = 0; i < 5; ++i)
        EXPECT_NEAR(run.losses[i] / expected.losses[i], 1, 2e-3) << nameOf(dtype).str() << " " << mesh.text();
      // Bounds of bf16: a weight's gradient is a sum of products that were rounded to 8 bits.
      for (const auto &[name, gradient] : expected.gradients) {
        double off = 0, size = 0;
        const std::vector<double> &own = run.gradients.at(name);
        for (size_t i = 0; i < gradient.size(); ++i) {
          off += (own[i] - gradient[i]) * (own[i] - gradient[i]);
          size += gradient[i] * gradient[i];
        }
        EXPECT_LT(std::sqrt(off), 0.05 * std::sqrt(size) + 1e-4 * expected.gradientNorm) << name << " " << mesh.text();
      }
    }
}

/// No operator of any fixture lacks a kernel, fused or not.
TEST(Precision, EveryFixture) {
  for (const char *fixture :
       {"mlp", "gpt2", "nanogpt", "bert-mlm", "qwen3", "llama-ts", "llama-tied-logits", "llama-op23", "llama-hf23"})
    for (DType dtype : {DType::BF16, DType::F16})
      for (bool recognise : {true, false}) {
        Expected expected = readExpected(fixture);
        const RunAs runAs{.recognise = recognise, .dtype = dtype, .lossScale = {1024, 2000}};
        llvm::Expected<Trained> run = train(fixture, expected, {2, 2, 2, 1}, runAs);
        ASSERT_TRUE(bool(run)) << fixture << ": " << describe(run.takeError());
        ASSERT_EQ(run->losses.size(), expected.losses.size());
        for (size_t i = 0; i < expected.losses.size(); ++i)
          EXPECT_NEAR(run->losses[i] / expected.losses[i], 1, 5e-3) << fixture << " " << nameOf(dtype).str();
      }
}

TEST(Precision, RepeatedRunsAreBitIdentical) {
  for (DType dtype : {DType::BF16, DType::F16}) {
    const Trained first = trained(dtype, {2, 2, 2, 1}, 5, ""), second = trained(dtype, {2, 2, 2, 1}, 5, "");
    EXPECT_EQ(first.losses, second.losses);
    EXPECT_EQ(first.weights, second.weights);
    EXPECT_FALSE(first.weights.empty());
  }
}

/// Gradients times 2^40 are infinite in f16. All ranks' parts of all weights are as they were, and so are their
/// moments: once the scale is small enough, training goes on as if the skipped steps had not been.
TEST(Precision, AnOverflowIsSkippedByAllRanksAlike) {
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}, Mesh{2, 2, 0, 1}}) {
    const double huge = std::ldexp(1.0, 40);
    const Trained before = trained(DType::F32, mesh, 1, "", {}, 0),
                  run = trained(DType::F16, mesh, 3, "", {huge, 2000});
    EXPECT_EQ(run.lossScales, (std::vector<double>{huge / 2, huge / 4, huge / 8})) << mesh.text();
    EXPECT_FALSE(run.weights.empty());
    EXPECT_EQ(run.weights, before.weights) << mesh.text();
  }
}

/// With --check-finite it ends the run instead, and the value is looked for under the scale that it had.
TEST(Precision, AnOverflowMayEndTheRun) {
  RunAs overflowing{.dtype = DType::F16, .lossScale = {0x1p40, 2000}};
  overflowing.run = [](const TrainOptions &options) {
    TrainOptions checked = options;
    checked.checksFinite = true;
    return autotp::train(checked);
  };
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}}) {
    llvm::Expected<Trained> run = train(kFixture, readExpected(kFixture), mesh, overflowing);
    ASSERT_FALSE(bool(run)) << mesh.text();
    const std::string said = describe(run.takeError());
    EXPECT_NE(said.find("step 1: its loss is 5."), std::string::npos) << said;
    EXPECT_NE(said.find("the first value that is not finite is '"), std::string::npos) << said;
    EXPECT_NE(said.find("a smaller --loss-scale"), std::string::npos) << said;
  }
}

/// DeepSpeed's hysteresis: the second overflow halves the scale, and so does each further one, down to the minimum. Its
/// window counts from the second good step on.
TEST(Precision, TheScaleMovesAsInDeepSpeed) {
  const double huge = std::ldexp(1.0, 40);
  const LossScaleOptions falls{.initial = huge, .window = 1000, .hysteresis = 2, .minimum = huge / 4, .isLate = true},
      rises{.initial = 1024, .window = 2, .hysteresis = 2, .isLate = true};
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}}) {
    EXPECT_EQ(trained(DType::F16, mesh, 4, "", falls).lossScales,
              (std::vector<double>{huge, huge / 2, huge / 4, huge / 4}));
    EXPECT_EQ(trained(DType::F16, mesh, 5, "", rises).lossScales, (std::vector<double>{1024, 1024, 2048, 2048, 4096}));
  }
}

TEST(Precision, TheScaleComesDownAndGoesUp) {
  const Trained run = trained(DType::F16, {2, 2, 2, 1}, 5, "", {1024, 2});
  EXPECT_EQ(run.lossScales, (std::vector<double>{1024, 2048, 2048, 4096, 4096}));
  EXPECT_TRUE(trained(DType::BF16, {1, 1, 0, 1}, 1, "").lossScales.empty());
}

template <typename Tensors> void makeSmall(Tensors &values, int32_t dtype) {
  for (auto &value : values)
    if (auto &type = *value.mutable_type()->mutable_tensor_type(); type.elem_type() == onnx::TensorProto::FLOAT)
      type.set_elem_type(dtype);
}

void makeSmall(onnx::TensorProto &tensor, DType dtype) {
  if (tensor.data_type() != onnx::TensorProto::FLOAT) return;
  std::vector<float> values(tensor.float_data().begin(), tensor.float_data().end());
  if (tensor.has_raw_data()) {
    values.resize(tensor.raw_data().size() / sizeof(float));
    std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
  }
  std::string bytes;
  for (float value : values) {
    const uint16_t bits = dtype == DType::BF16 ? floatToBf16(value) : doubleToHalf(value);
    bytes.append(reinterpret_cast<const char *>(&bits), sizeof bits);
  }
  tensor.clear_float_data();
  tensor.set_raw_data(bytes);
  tensor.set_data_type(dtype == DType::BF16 ? onnx::TensorProto::BFLOAT16 : onnx::TensorProto::FLOAT16);
}

/// The fixture's model with every float as a small one, as torch's exporters write a model of that dtype.
std::string exportedIn(DType dtype) {
  onnx::ModelProto model;
  std::ifstream in(std::string(AUTOTP_SOURCE_DIR) + "/tests/fixtures/" + kFixture + "/model.onnx", std::ios::binary);
  EXPECT_TRUE(model.ParseFromIstream(&in));
  onnx::GraphProto &graph = *model.mutable_graph();
  const int32_t small = dtype == DType::BF16 ? onnx::TensorProto::BFLOAT16 : onnx::TensorProto::FLOAT16;
  for (auto *values : {graph.mutable_input(), graph.mutable_output(), graph.mutable_value_info()})
    makeSmall(*values, small);
  for (onnx::TensorProto &tensor : *graph.mutable_initializer())
    makeSmall(tensor, dtype);
  for (onnx::NodeProto &node : *graph.mutable_node())
    for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) makeSmall(*attribute.mutable_t(), dtype);
      if (node.op_type() == "Cast" && attribute.name() == "to" && attribute.i() == onnx::TensorProto::FLOAT)
        attribute.set_i(small);
    }
  llvm::SmallString<128> path;
  int file = 0;
  EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("autotp-small", "onnx", file, path));
  llvm::raw_fd_ostream(file, true) << model.SerializeAsString();
  return path.str().str();
}

/// Without --dtype such a model trains in its own; its weights are the master weights, and it may train in f32.
TEST(Precision, ModelsExportedInSmallFloats) {
  Expected expected = readExpected(kFixture);
  for (DType dtype : {DType::BF16, DType::F16}) {
    const std::string model = exportedIn(dtype);
    for (std::optional<DType> asked : {std::optional<DType>(), std::optional<DType>(DType::F32)}) {
      llvm::Expected<Trained> run = train(kFixture, expected, {2, 2, 2, 1}, {.dtype = asked, .model = model});
      ASSERT_TRUE(bool(run)) << describe(run.takeError());
      for (size_t i = 0; i < expected.losses.size(); ++i)
        EXPECT_NEAR(run->losses[i] / expected.losses[i], 1, 3e-3) << nameOf(dtype).str();
      EXPECT_EQ(run->lossScales.empty(), asked || dtype == DType::BF16);
    }
    llvm::sys::fs::remove(model);
  }
}

} // namespace
} // namespace autotp::test
