/// \file The two programs of one tp coordinate over the states that they share: the words between partition and
/// emission.
#pragma once

#include "compiler/sharding/local_program.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

/// Memory that outlives a section.
struct StateBuffer {
  std::string name, region;
  Type type;
  bool isZeroedEachStep = false;
  std::vector<uint8_t> initial = {}; ///< where it does not begin as zeros: all its bytes, or those of every element
};

/// A value that lies in a state: from `element` on, plus dp_rank times `dpStride` elements.
struct Home {
  unsigned state;
  int64_t element = 0, dpStride = 0;
};

/// A graph whose values at home are bound to states: sources that are read, and results that are written there.
struct Section {
  std::string name;
  Graph graph;
  llvm::DenseMap<ValueId, Home> homes;
};

struct BucketLayout {
  int64_t elements = 0, dpSlice = 0; ///< dpSlice: elements of one dp rank where gradients are sliced, else 0
  DType dtype = DType::F32;          ///< of the parameters
  unsigned rule = 0;                 ///< of Updates: how all of them are updated
  unsigned parameters, gradients;    ///< states
  unsigned master;                   ///< the state that the optimizer updates: an f32 one, or the parameters themselves
};

struct PlacedParameter {
  LocalParameter local;
  unsigned bucket;
  int64_t begin; ///< first element in the bucket
};

struct RankProgram {
  std::vector<StateBuffer> states;
  Section microStep, optimizerStep;
  std::vector<BucketLayout> buckets;
  std::vector<PlacedParameter> parameters;
};

} // namespace autotp
