/// \file Attention's sizes and operands, as forward and backward kernels see them.
#pragma once

#include "runtime/device/cuda/kernel_table.h"
#include "runtime/device/cuda/storage.cuh"

namespace autotp::cuda {

/// q [b, s, h, d], k [b, t, kv, d], v [b, t, kv, e], mask broadcasting to [b, h, s, t].
struct AttentionProblem : AttentionSizes {
  StoredFloats q, k, v;
  const float *mask;
  int64_t maskStride[4]; ///< 0 where the mask broadcasts
  float scale;
  bool isCausal, replaces, vectors; ///< vectors: rows of q, k, v and out may be read four elements at a time
};

inline StoredFloats stored(const TensorArg &tensor) { return {tensor.data, tensor.dtype}; }

/// Errors: a dtype, a head dimension or a sequence that these kernels cannot take.
llvm::Expected<AttentionProblem> attentionProblem(const Call &call);
/// Whether all these pointers may be read four elements at a time.
bool areVectors(std::initializer_list<const void *> pointers, const AttentionProblem &p);

} // namespace autotp::cuda
