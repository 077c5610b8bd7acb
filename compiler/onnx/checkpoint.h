/// \file Reads the checkpoint of an onnxruntime-training artifact folder, a flatbuffer that holds the parameters.
#pragma once

#include "compiler/ir/tensor.h"

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

struct CheckpointTensor {
  std::string name;
  Tensor tensor;
  bool isTrained;
};

/// The tensors in the order of the file, trained ones first. Source: onnxruntime's checkpoint.fbs and ort.fbs. Every
/// offset is checked before it is followed. Errors: the file is no checkpoint, is truncated, or names external data.
llvm::Expected<std::vector<CheckpointTensor>> readCheckpoint(llvm::StringRef path);

} // namespace autotp
