/// \file The numbers of a Llama's parameters: drawn from a seed, or read from a Hugging Face file.
#pragma once

#include "models/llama/build_model.h"

#include "runtime/plan/safetensors.h"

namespace autotp {

class ParameterContents {
public:
  /// Norms are ones, all else is normal with deviation 0.02: element e of the n-th parameter is number e of Philox
  /// stream n.
  static ParameterContents drawn(uint64_t seed);

  /// F32, BF16 or F16 tensors by the parameters' names. Errors, all at once: tensors that are
  /// missing, have another shape or type, or that this model has no place for (tables of frequencies and the copy of a
  /// tied embedding are passed over).
  static llvm::Expected<ParameterContents> fromFile(const std::string &path, const LlamaConfig &config,
                                                    const LlamaModel &model);

  /// All elements of parameter `ordinal`.
  std::vector<float> read(const LlamaModel &model, size_t ordinal) const;

private:
  uint64_t seed_ = 0;
  std::optional<SafetensorsFile> file_;
};

} // namespace autotp
