/// \file The sections of one tp rank and the states that they share. Passes after partition hand these types on to
/// emission.
#pragma once

#include "compiler/sharding/local_program.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

/// A tensor that outlives a section.
struct StateBuffer {
  std::string name, region;
  Type type;
  bool isZeroedEachStep = false;
  /// Each micro_step writes all of it without reading it, and optimizer_step comes next: its memory is free until it is
  /// written.
  bool isWithinStep = false;
  /// empty: it begins as zeros; otherwise the bytes of the whole tensor, or those of one element for all
  std::vector<uint8_t> initial = {};
};

/// A state slice: the part of a state in which a value lies. It begins at `element` + dp_rank * `dpStride`, in
/// elements.
struct StateSlice {
  unsigned state;
  int64_t element = 0, dpStride = 0;
};

/// A graph with the state slices of those values that lie in states: sources are read from there, results written
/// there.
struct Section {
  std::string name;
  Graph graph;
  llvm::DenseMap<ValueId, StateSlice> stateSlices;
};

/// Elements [begin + dp_rank * dpStride, begin + dp_rank * dpStride + elements) of a bucket.
struct BucketSlice {
  int64_t begin = 0, elements = 0, dpStride = 0;
  bool operator==(const BucketSlice &) const = default;
};

/// One of the numbers that the optimizer keeps for each element of a bucket that a rank updates.
struct BucketState {
  std::string name;   ///< as the update's operator calls it
  unsigned state = 0; ///< index of RankProgram::states
  float initial = 0;  ///< of every element
};

/// What the parameters of one bucket have in common.
struct BucketKind {
  DType dtype = DType::F32;
  /// Whether every tp rank holds the parameters whole; the bucket is then the same on all tp ranks.
  bool isReplicated = false;
  bool isPartial = false; ///< whether the gradients are Partial over tp as well
  unsigned rule = 0;      ///< index in Updates::rules of their update
  bool operator==(const BucketKind &) const = default;
};

struct BucketLayout {
  BucketSlice whole() const { return {0, elements, 0}; }

  BucketKind kind;
  int64_t elements = 0;                   ///< with padding
  BucketSlice own;                        ///< the slice that this rank updates
  BucketSlice kept;                       ///< the slice of the parameters that their state holds
  BucketSlice accumulated;                ///< the slice of the gradients that their state holds
  unsigned parameters = 0, gradients = 0; ///< indices of RankProgram::states
  unsigned master = 0; ///< the state that the optimizer updates: master weights in f32 of `own`, or `parameters`
  std::vector<BucketState> states = {};
};

struct PlacedParameter {
  LocalParameter local;
  unsigned bucket;
  int64_t begin; ///< index in the bucket of its first element
};

struct RankProgram {
  /// The sections of a step in the order in which it runs them, with batch_statistics if the loss has some; then evaluate.
  llvm::SmallVector<const Section *, 4> sections() const {
    llvm::SmallVector<const Section *, 4> all;
    if (batchStatistics) all.push_back(&*batchStatistics);
    all.append({&microStep, &optimizerStep});
    if (evaluate) all.push_back(&*evaluate);
    return all;
  }

  std::vector<StateBuffer> states;
  std::optional<Section> batchStatistics; ///< runs for every micro-batch before the first micro_step
  Section microStep, optimizerStep;
  std::optional<Section> evaluate; ///< the loss of a micro-batch, outside of steps; every program of a model has it
  std::vector<BucketLayout> buckets;
  std::vector<PlacedParameter> parameters;
  std::vector<LocalConstant> constants; ///< those of microStep
};

} // namespace autotp
