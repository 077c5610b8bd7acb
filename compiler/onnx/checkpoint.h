/// \file The checkpoint of an onnxruntime-training artifact folder: a flatbuffer that holds the parameters.
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

/// In the order of the file, what is trained first. Source: onnxruntime's checkpoint.fbs and ort.fbs. Every offset is
/// checked before it is followed. Errors: a file that is no checkpoint, is truncated, or names external data.
llvm::Expected<std::vector<CheckpointTensor>> readCheckpoint(llvm::StringRef path);

} // namespace autotp
