// Every optimizer trains to the numbers of its own formula, in double and by plain loops; models that bring their own
// training graph train to what is recorded for them.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "tests/equivalence/fixture.h"
#include "tests/fixtures/run_fixture.h"

#include "runtime/base/error.h"
#include "runtime/data/npz.h"
#include "runtime/device/cpu/device.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace autotp::test {
namespace {

std::vector<Mesh> meshes() {
  std::vector<Mesh> all;
  for (int tp : {1, 2, 4})
    for (int dp : {1, 2})
      for (int zero : {0, 1, 2, 3})
        all.push_back({tp, dp, zero, zero == 1 ? 2 : 1});
  return all;
}

void expectTrains(const std::string &fixture, const Expected &expected, const RunAs &runAs = {}) {
  for (const Mesh &mesh : meshes()) {
    llvm::Expected<Trained> run = train(fixture, expected, mesh, runAs);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    if (mesh.tp > 1) {
      ASSERT_EQ(run->shardedSizes.front(), 10) << mesh.text();
    }
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

/// The mlp fixture's three layers with relus between, cross-entropy at the end.
class Reference {
public:
  using Tensors = std::map<std::string, std::vector<double>>;

  Reference() {
    CompileOptions options = fixtureOptions("mlp");
    options.look.stopAfter = "classify-parameters";
    const CompiledModel compiled = llvm::cantFail(compile(options));
    for (const ParameterInfo &parameter : compiled.graph.parameters) {
      const Value &value = compiled.graph.value(parameter.value);
      weights[value.name] = toArray(*value.contents).data;
      isMatrix[value.name] = value.type.shape.size() > 1;
    }
    for (const NpyArray &array : llvm::cantFail(readNpz(folderOf("mlp") + "/batch.npz"))) {
      if (array.type.kind == ElementKind::Float) {
        std::vector<float> x(array.data.size() / sizeof(float));
        std::memcpy(x.data(), array.data.data(), array.data.size());
        inputs_.assign(x.begin(), x.end());
      } else {
        labels_.resize(array.data.size() / sizeof(int64_t));
        std::memcpy(labels_.data(), array.data.data(), array.data.size());
      }
    }
  }

  /// The mean loss of step `step`, from 0, and its gradients.
  double differentiate(size_t step, Tensors &gradients) {
    constexpr size_t kRows = 4;
    std::vector<std::vector<double>> x(4); // what each layer gets, and the logits
    const size_t width = inputs_.size() / labels_.size();
    x[0].assign(inputs_.begin() + long(step * kRows * width), inputs_.begin() + long((step + 1) * kRows * width));
    for (size_t l = 0; l < 3; ++l)
      x[l + 1] = forward(x[l], l, kRows);
    double loss = 0;
    const size_t classes = x[3].size() / kRows;
    std::vector<double> arriving = x[3];
    for (size_t r = 0; r < kRows; ++r) {
      double sum = 0;
      for (size_t c = 0; c < classes; ++c)
        sum += std::exp(x[3][r * classes + c]);
      const size_t label = size_t(labels_[step * kRows + r]);
      loss += (std::log(sum) - x[3][r * classes + label]) / kRows;
      for (size_t c = 0; c < classes; ++c)
        arriving[r * classes + c] = (std::exp(x[3][r * classes + c]) / sum - (c == label ? 1 : 0)) / kRows;
    }
    for (size_t l = 3; l-- > 0;)
      arriving = backward(x[l], arriving, l, kRows, gradients);
    return loss;
  }

  Tensors weights;
  std::map<std::string, bool> isMatrix;

private:
  static std::string nameOf(size_t layer, const char *kind) { return "fc" + std::to_string(layer + 1) + "." + kind; }

  std::vector<double> forward(const std::vector<double> &x, size_t layer, size_t rows) const {
    const std::vector<double> &w = weights.at(nameOf(layer, "weight")), &b = weights.at(nameOf(layer, "bias"));
    const size_t ins = x.size() / rows, outs = b.size();
    std::vector<double> y(rows * outs);
    for (size_t r = 0; r < rows; ++r)
      for (size_t o = 0; o < outs; ++o) {
        y[r * outs + o] = b[o];
        for (size_t i = 0; i < ins; ++i)
          y[r * outs + o] += x[r * ins + i] * w[o * ins + i];
        if (layer < 2) y[r * outs + o] = std::max(y[r * outs + o], 0.0);
      }
    return y;
  }

  /// What leaves for the layer before, whose relu gave x.
  std::vector<double> backward(const std::vector<double> &x, const std::vector<double> &dy, size_t layer, size_t rows,
                               Tensors &gradients) const {
    const std::vector<double> &w = weights.at(nameOf(layer, "weight"));
    const size_t ins = x.size() / rows, outs = dy.size() / rows;
    std::vector<double> &dw = gradients[nameOf(layer, "weight")], &db = gradients[nameOf(layer, "bias")];
    std::vector<double> dx(x.size());
    dw.assign(w.size(), 0);
    db.assign(outs, 0);
    for (size_t r = 0; r < rows; ++r)
      for (size_t o = 0; o < outs; ++o) {
        const double d = dy[r * outs + o];
        db[o] += d;
        for (size_t i = 0; i < ins; ++i) {
          dw[o * ins + i] += d * x[r * ins + i];
          if (x[r * ins + i] > 0) dx[r * ins + i] += d * w[o * ins + i];
        }
      }
    return dx;
  }

  std::vector<double> inputs_;
  std::vector<int64_t> labels_;
};

/// torch.optim's documented formula for one element, t from 1. `state`: two numbers that begin as the options say.
void update(const OptimizerOptions &o, double &p, double g, double *state, double t, bool decays) {
  const double lr = learningRateAt(o.lr, int64_t(t)), decay = decays ? o.weightDecay : 0;
  switch (o.kind) {
  case OptimizerKind::AdamW:
  case OptimizerKind::Adam:
    if (o.kind == OptimizerKind::AdamW)
      p -= lr * decay * p;
    else
      g += decay * p;
    state[0] = o.beta1 * state[0] + (1 - o.beta1) * g;
    state[1] = o.beta2 * state[1] + (1 - o.beta2) * g * g;
    p -= lr * (state[0] / (1 - std::pow(o.beta1, t))) / (std::sqrt(state[1] / (1 - std::pow(o.beta2, t))) + o.epsilon);
    break;
  case OptimizerKind::Sgd:
    p -= lr * (g + decay * p);
    break;
  case OptimizerKind::Momentum:
    g += decay * p;
    state[0] = t > 1 ? o.momentum * state[0] + (1 - o.dampening) * g : g;
    p -= lr * (o.isNesterov ? g + o.momentum * state[0] : state[0]);
    break;
  case OptimizerKind::Adagrad:
    g += decay * p;
    state[0] = (t > 1 ? state[0] : o.initialAccumulator) + g * g;
    p -= lr / (1 + (t - 1) * o.lrDecay) * g / (std::sqrt(state[0]) + o.epsilon);
    break;
  }
}

/// Five steps by the formula alone.
Expected referenceOf(const OptimizerOptions &o) {
  Reference reference;
  Expected expected;
  expected.optimizer = o;
  std::map<std::string, std::vector<std::array<double, 2>>> states;
  for (size_t step = 0; step < 5; ++step) {
    Reference::Tensors gradients;
    expected.losses.push_back(reference.differentiate(step, gradients));
    double squares = 0;
    for (const auto &[name, gradient] : gradients)
      for (double g : gradient)
        squares += g * g;
    if (step == 0) expected.gradients = gradients;
    if (step == 0) expected.gradientNorm = std::sqrt(squares);
    const double scale = o.clipGradNorm > 0 ? std::min(1.0, o.clipGradNorm / (std::sqrt(squares) + 1e-6)) : 1;
    for (auto &[name, weights] : reference.weights) {
      auto &own = states[name];
      own.resize(weights.size());
      for (size_t i = 0; i < weights.size(); ++i)
        update(o, weights[i], gradients[name][i] * scale, own[i].data(), double(step + 1),
               o.decaysAll || reference.isMatrix[name]);
    }
  }
  expected.weights = reference.weights;
  return expected;
}

OptimizerOptions optionsOf(OptimizerKind kind, double decay, bool decaysAll, double clip) {
  OptimizerOptions o = defaultsOf(kind);
  o.weightDecay = decay;
  o.decaysAll = decaysAll;
  o.clipGradNorm = clip;
  return o;
}

TEST(Optimizers, TheReferenceIsPyTorchs) {
  const Expected torch = readExpected("mlp");
  const Expected own = referenceOf(torch.optimizer);
  for (size_t step = 0; step < 5; ++step)
    EXPECT_NEAR(own.losses[step], torch.losses[step], 1e-7 * torch.losses[step]);
}

TEST(Optimizers, AdamTrainsToItsFormula) {
  expectTrains("mlp", referenceOf(optionsOf(OptimizerKind::Adam, 0.1, /*decaysAll=*/true, 1)));
  expectTrains("mlp", referenceOf(optionsOf(OptimizerKind::Adam, 0, false, 0)));
}

TEST(Optimizers, SgdTrainsToItsFormula) {
  expectTrains("mlp", referenceOf(optionsOf(OptimizerKind::Sgd, 0.1, false, 1)));
}

TEST(Optimizers, MomentumTrainsToItsFormula) {
  OptimizerOptions o = optionsOf(OptimizerKind::Momentum, 0.05, true, 1);
  o.dampening = 0.3;
  expectTrains("mlp", referenceOf(o));
  o.dampening = 0;
  o.isNesterov = true;
  expectTrains("mlp", referenceOf(o));
}

TEST(Optimizers, AdagradTrainsToItsFormula) {
  OptimizerOptions o = optionsOf(OptimizerKind::Adagrad, 0.05, false, 0);
  o.lrDecay = 0.2;
  o.initialAccumulator = 0.1;
  expectTrains("mlp", referenceOf(o));
  expectTrains("mlp", referenceOf(optionsOf(OptimizerKind::Adagrad, 0, false, 1)));
}

/// The reference takes its rates from learningRateAt(), which lr_schedule_test compares with transformers.
TEST(Optimizers, SchedulesAreTrainedWith) {
  OptimizerOptions o = optionsOf(OptimizerKind::AdamW, 0.1, false, 0);
  o.lr = {.kind = LrKind::Cosine, .peak = 1e-2, .minimum = 1e-3, .warmupSteps = 2, .decaySteps = 4};
  expectTrains("mlp", referenceOf(o));
  o = optionsOf(OptimizerKind::Sgd, 0.1, false, 0);
  o.lr = {.kind = LrKind::Wsd, .peak = 0.1, .warmupSteps = 1, .decaySteps = 3, .runSteps = 5};
  expectTrains("mlp", referenceOf(o));
}

class OwnTrainingGraphs : public testing::TestWithParam<const char *> {};

TEST_P(OwnTrainingGraphs, TrainToWhatIsRecorded) { expectTrains(GetParam(), readExpected(GetParam())); }

/// With a loss scale that does not overflow: the same steps are taken.
TEST_P(OwnTrainingGraphs, TrainInSmallFloats) {
  const Expected expected = readExpected(GetParam());
  for (DType dtype : {DType::BF16, DType::F16}) {
    const Trained run =
        llvm::cantFail(train(GetParam(), expected, {2, 2, 2, 1}, {.dtype = dtype, .lossScale = {1024, 2000}}));
    for (size_t step = 0; step < expected.losses.size(); ++step)
      EXPECT_NEAR(run.losses[step], expected.losses[step], 0.02 * expected.losses[step]) << nameOf(dtype).str();
  }
}

/// The update count after one step in f16 that began with this loss scale.
int64_t countAfterAStep(double lossScale) {
  CompileOptions options = fixtureOptions("training-info-mlp-momentum");
  options.dtype = DType::F16;
  options.step.lossScale.initial = lossScale;
  const CompiledModel compiled = llvm::cantFail(compile(options));
  auto comms = makeLocalCommunicators(1);
  auto executor =
      llvm::cantFail(Executor::create(compiled.ranks.emitted[0], 1, 1, *comms[0], llvm::cantFail(makeCpuDevice(1))));
  initialiseWeights(*executor, 3);
  for (const plan::Input &input : compiled.ranks.emitted[0].inputs()) {
    if (DType(input.tensor().dtype()) != DType::F32) continue; // labels are all 0
    const std::vector<float> ones(size_t(elementsOf(input.tensor())), 1);
    executor->upload(input.tensor(), ones.data());
  }
  llvm::cantFail(runStep(*executor, 1));
  for (const plan::State &state : compiled.ranks.emitted[0].states())
    if (state.name() == "schedule.T") {
      int64_t count = -1;
      executor->download(state.tensor(), &count);
      return count;
    }
  return -1;
}

TEST(OwnTrainingGraphs, AStepThatIsSkippedIsNotCounted) {
  EXPECT_EQ(countAfterAStep(1024), 1);
  EXPECT_EQ(countAfterAStep(0x1p40), 0); // overflows
}

INSTANTIATE_TEST_SUITE_P(Equivalence, OwnTrainingGraphs, testing::ValuesIn(kOwnTrainingFixtures), fixtureTestName);

} // namespace
} // namespace autotp::test
