/// \file A checkpoint as a source of weights, for the parts of StoredWeights alone.
#pragma once

#include "runtime/checkpoint/checkpoint_reader.h"
#include "runtime/checkpoint/stored_weights.h"

#include <mutex>

namespace autotp {

/// A checkpoint, and the tensor that was read last: put together from its slices, whole.
struct StoredWeights::OfCheckpoint {
  struct Source {
    const Checkpoint::Tensor *tensor;
    bool isTransposed;
  };
  std::unique_ptr<CheckpointReader> reader;
  std::map<std::string, Source> sources; ///< by name
  std::mutex mutex;                      ///< guards what follows
  std::string last;
  std::vector<float> elements;
};

} // namespace autotp
