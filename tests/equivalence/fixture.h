/// \file A fixture's recorded PyTorch numbers, one training run of ours, and how far apart they may be.
#pragma once

#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/train/build_steps.h"
#include "passes/train/recompute.h"
#include "runtime/plan/kernels/workspace.h"
#include "runtime/plan/safetensors.h"
#include "runtime/train/train.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace autotp::test {

/// What stands for a tensor that is not recorded whole: its norm, and its sums under random signs. Projection j gives
/// element i a plus where bit 0 of the first word of philox(j, i, 0) is set, else a minus.
struct Measures {
  double norm = 0;
  std::vector<double> projections;
};

struct Measured {
  Measures gradient, weight;
  int64_t undetermined = 0; ///< elements that PyTorch's own float32 run leaves elsewhere than its float64 one
};

struct Expected {
  std::vector<double> losses;
  std::map<std::string, std::vector<double>> gradients,
      weights;                              ///< by initializer; gradients of step 1, weights after the last
  std::map<std::string, Measured> measured; ///< the same, where they are not recorded whole
  double gradientNorm = 0;                  ///< of step 1
  std::map<std::string, int64_t> sizes;     ///< of symbolic dimensions
  OptimizerOptions optimizer;
  int64_t globalBatch = 4, steps = 5;
  int64_t parameterElements = 0; ///< of the parameters that the loss depends on, tied ones once; 0: not recorded
};

/// Reads tests/fixtures/NAME, or NAME if it is a path of the project. `record`: the file that holds the numbers.
Expected readExpected(const std::string &name, llvm::StringRef record = "expected.json");

struct Mesh {
  int tp = 1, dp = 1, zero = 0, gradAccum = 1;
  std::string text() const;
};

struct Trained {
  int64_t parameterElements = 0;
  std::vector<int64_t> shardedSizes;      ///< of the axes that the manifest says lie on tp, in ascending order
  std::vector<double> losses, lossScales; ///< of each step; no scales but for f16
  std::map<std::string, std::vector<double>> gradients, weights;
};

struct RunAs {
  bool recognise = true, sequenceParallel = false;
  DeviceKind device = DeviceKind::Cpu;
  std::string launcher =
      {}; ///< a command that starts `autotp-run` once a rank ("mpirun -n 4"); empty: ranks are threads
  std::string comm = "auto";                                 ///< of ranks that are processes
  std::function<llvm::Error(const TrainOptions &)> run = {}; ///< in autotp::train()'s place
  std::optional<DType> dtype = {};
  LossScaleOptions lossScale = {};
  std::string data = {}; ///< as --data, in place of the recorded batches
  std::string feed = {}; ///< a file of the fixture's folder in the place of batch.npz
  Recompute recompute = Recompute::None;
  std::string model = {};          ///< a file in the place of the fixture's
  std::string freeze = {};         ///< as --freeze
  bool assumesRoles = false;       ///< as --assume roles
  int64_t bucketBytes = 100 << 10; ///< several buckets, even on these small models
  WeightsHeld held = WeightsHeld::Copied;
};

/// How a fixture is compiled for this mesh: every axis that divides parameters is sharded.
CompileOptions optionsOf(const std::string &fixture, const Expected &expected, const Mesh &mesh,
                         const RunAs &runAs = {});
/// Compiles and writes a plan. Errors: also that it was not proven.
llvm::Expected<CompiledModel> compileTo(const std::string &folder, const CompileOptions &options);

/// The numbers under `key` of a JSONL log, of the lines that have it.
std::vector<double> readLog(const std::string &path, llvm::StringRef key);

/// Compiles the fixture for this mesh and trains it on its recorded batches.
llvm::Expected<Trained> train(const std::string &fixture, const Expected &expected, const Mesh &mesh,
                              const RunAs &runAs = {});

/// The largest relative error of a loss; of gradients and of weights the largest share of their bound.
struct Deviations {
  double loss = 0, gradient = 0, weight = 0;
};

/// How far off a run may be. Losses: relative. Gradients: `gradient` of their own norm and `globalGradient` of that of all.
struct Bounds {
  double firstLoss = 1e-5, laterLosses = 2e-4, gradient = 1e-4, globalGradient = 1e-7; ///< the contract's
  bool hasWeights = true; ///< small floats turn Adam's first steps where a gradient is smaller than its rounding
};

/// A rounding to bf16 is off by at most 2^-9 of a value. docs/correctness.md says what follows from it.
constexpr Bounds kBoundsOfBf16{0x1p-8, 0x1p-7, 0x1.8p-3, 0x1p-9, false};

/// All bounds; one line for each that is broken. `worst` grows to what this run is off by.
std::vector<std::string> compare(const Expected &expected, const Trained &run, Deviations *worst = nullptr,
                                 const Bounds &bounds = {});
/// The same, where another run of the same dtype is the truth.
std::vector<std::string> compare(const Trained &truth, const Trained &run, Deviations &worst, const Bounds &bounds);

} // namespace autotp::test
