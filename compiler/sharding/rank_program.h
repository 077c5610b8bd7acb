/// \file The programs of one tp coordinate over the states that they share: the words between partition and emission.
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

/// Elements [begin + dp_rank * dpStride, + elements) of a bucket.
struct BucketSlice {
  int64_t begin = 0, elements = 0, dpStride = 0;
  bool operator==(const BucketSlice &) const = default;
};

/// What the parameters of one bucket have in common.
struct BucketKind {
  DType dtype = DType::F32;
  bool isReplicated = false; ///< whole on every tp coordinate, which all have this bucket
  bool isPending = false;    ///< their gradients are still to be summed over tp, too
  unsigned rule = 0;         ///< of Updates: how all of them are updated
  bool operator==(const BucketKind &) const = default;
};

struct BucketLayout {
  BucketSlice whole() const { return {0, elements, 0}; }

  BucketKind kind;
  int64_t elements = 0;                   ///< padding included
  BucketSlice own;                        ///< what this rank updates
  BucketSlice kept;                       ///< of the parameters: in their state
  BucketSlice accumulated;                ///< of the gradients: in their state
  unsigned parameters = 0, gradients = 0; ///< states
  unsigned master = 0; ///< the state that the optimizer updates: an f32 one of `own`, or the parameters themselves
};

struct PlacedParameter {
  LocalParameter local;
  unsigned bucket;
  int64_t begin; ///< first element in the bucket
};

struct RankProgram {
  /// In the order in which a step runs them; batch_statistics where the loss has some.
  llvm::SmallVector<const Section *, 3> sections() const {
    llvm::SmallVector<const Section *, 3> all;
    if (batchStatistics) all.push_back(&*batchStatistics);
    all.append({&microStep, &optimizerStep});
    return all;
  }

  std::vector<StateBuffer> states;
  std::optional<Section> batchStatistics; ///< runs for every micro-batch before the first micro_step does
  Section microStep, optimizerStep;
  std::vector<BucketLayout> buckets;
  std::vector<PlacedParameter> parameters;
  std::vector<LocalConstant> constants; ///< of microStep
};

} // namespace autotp
