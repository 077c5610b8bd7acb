/// \file A fixture's recorded PyTorch numbers, one training run of ours, and how far apart they may be.
#pragma once

#include "passes/train/build_steps.h"
#include "runtime/plan/safetensors.h"
#include "runtime/plan/workspace.h"
#include "runtime/train/train.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace autotp::test {

struct Expected {
  std::vector<double> losses;
  std::map<std::string, std::vector<double>> gradients,
      weights; ///< by initializer; gradients of step 1, weights after the last
  OptimizerOptions optimizer;
  int64_t globalBatch = 4, steps = 5;
};

/// Reads tests/fixtures/NAME.
Expected readExpected(const std::string &name);

struct Mesh {
  int tp = 1, dp = 1, zero = 0, gradAccum = 1;
  std::string text() const;
};

struct Trained {
  std::vector<int64_t> shardedSizes; ///< of the axes that the manifest says lie on tp, in ascending order
  std::vector<double> losses;
  std::map<std::string, std::vector<double>> gradients, weights;
};

struct RunAs {
  bool recognise = true;
  DeviceKind device = DeviceKind::Cpu;
  std::string launcher =
      {}; ///< a command that starts `autotp-run` once a rank ("mpirun -n 4"); empty: ranks are threads
  std::function<llvm::Error(const TrainOptions &)> run = {}; ///< in autotp::train()'s place
};

/// Compiles the fixture for this mesh (every axis that divides parameters is sharded) and trains it on its recorded
/// batches.
llvm::Expected<Trained> train(const std::string &fixture, const Expected &expected, const Mesh &mesh,
                              const RunAs &runAs = {});

/// All bounds of the contract; one line for each that is broken.
std::vector<std::string> compare(const Expected &expected, const Trained &run);

} // namespace autotp::test
