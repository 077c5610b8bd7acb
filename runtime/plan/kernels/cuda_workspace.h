/// \file How the cuda device's kernels part their work where the parts meet in scratch memory: known to the compiler,
/// which plans it, and to the kernels. Sizes depend on shapes alone, never on the GPU, so sums are the same bits on
/// all.
#pragma once

#include <algorithm>
#include <cstdint>

namespace autotp {

/// Parts of a reduction over `summed` elements for each of `kept` results: more than one where few results would leave
/// most of a GPU idle.
inline int64_t cudaReduceParts(int64_t kept, int64_t summed) {
  return std::max<int64_t>(1, std::min<int64_t>({1024, 65536 / std::max<int64_t>(kept, 1), summed / 256}));
}
inline uint64_t cudaReduceBytes(int64_t kept, int64_t summed) {
  const int64_t parts = cudaReduceParts(kept, summed);
  return parts > 1 ? uint64_t(parts * kept) * sizeof(double) : 0;
}

/// Blocks that share the rows of a norm's gradient, each with sums of its own of d scale (and d bias).
inline int64_t cudaNormParts(int64_t rows) { return std::min<int64_t>(rows, 256); }
inline uint64_t cudaNormGradBytes(int64_t rows, int64_t width, int vectors) {
  return uint64_t(cudaNormParts(rows) * width * vectors) * sizeof(float);
}

/// Of the ids of a scatter: how many fall on each row, where its list begins, and the lists, unordered and ordered.
inline uint64_t cudaScatterBytes(int64_t ids, int64_t tableRows) {
  return (uint64_t(2 * tableRows) + 1 + uint64_t(2 * ids)) * sizeof(uint32_t);
}

constexpr int64_t kCudaSquaresTile = 8192; ///< elements whose squares one block sums
inline uint64_t cudaSumSquaresBytes(int64_t elements) {
  return uint64_t((elements + kCudaSquaresTile - 1) / kCudaSquaresTile) * sizeof(double);
}

/// cuBLASLt's own: NVIDIA advises 32 MiB on sm_90. A small product gains nothing by splitting its sums.
inline uint64_t cudaProductBytes(double multiplications) {
  return multiplications >= double(1 << 27)   ? uint64_t{32} << 20
         : multiplications >= double(1 << 20) ? uint64_t{4} << 20
                                              : 0;
}

} // namespace autotp
