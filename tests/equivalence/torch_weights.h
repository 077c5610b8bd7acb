/// \file The weights of a fixture as the module has them: under PyTorch's names and in its orientations, which
/// expected.json records for each initializer.
#pragma once

#include "runtime/plan/safetensors.h"
#include "tests/equivalence/fixture.h"

#include <map>
#include <string>
#include <vector>

namespace autotp::test {

struct TorchWeights {
  struct Weight {
    std::vector<int64_t> shape;
    std::vector<float> values;
  };
  std::map<std::string, Weight> byName; ///< without the wrapper's "model.", as Hugging Face saves them
  bool isWhole = true;                  ///< false: the graph holds parts or formulas of some, which are left out

  void write(const std::string &path, DType dtype = DType::F32) const;
};

/// What a plan of tp 1 holds. `record`: the file of the fixture's folder that names the initializers.
TorchWeights torchWeights(const std::string &fixture, const std::string &plan);

} // namespace autotp::test
