/// \file The numbers of a decoder's parameters: drawn from a seed, or read from Hugging Face's files.
#pragma once

#include "models/decoder/build_decoder.h"
#include "runtime/checkpoint/stored_weights.h"

#include <memory>

namespace autotp {

class ParameterContents {
public:
  /// Norms start at the weight with which they scale nothing, biases at zero. All else is normal with deviation 0.02:
  /// element e of the n-th parameter is number e of Philox stream n.
  static ParameterContents drawn(uint64_t seed);

  /// Tensors of floats by the parameters' names, of what `path` names to StoredWeights. Errors, all at once:
  /// tensors that are missing, have another shape or type, or that this model has no place for (tables of frequencies
  /// and the copy of a tied embedding are passed over).
  static llvm::Expected<ParameterContents> fromFiles(const std::string &path, const DecoderConfig &config,
                                                     const DecoderModel &model);

  /// All elements of parameter `ordinal`. Errors: a checkpoint lacks some of them.
  llvm::Expected<std::vector<float>> read(const DecoderModel &model, size_t ordinal) const;
  /// The files that are read.
  std::vector<std::string> files() const;

private:
  uint64_t seed_ = 0;
  std::unique_ptr<StoredWeights> weights_; ///< null: drawn
};

} // namespace autotp
