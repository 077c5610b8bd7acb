/// \file The elements of a parameter that one rank holds, and which of a bucket's.
#pragma once

#include "runtime/plan/check_program.h"
#include "runtime/plan/dtype.h"

#include <algorithm>
#include <span>
#include <vector>

namespace autotp {

/// Calls f(local element, global element, global index of each dimension) for all elements that a rank holds, in the
/// order in which they lie in its memory.
template <typename F> void forEachHeld(const plan::Parameter &parameter, F f) {
  size_t rank = size_t(parameter.global_shape_size());
  std::vector<std::vector<int64_t>> held(rank);
  for (size_t d = 0; d < rank; ++d)
    for (int i = 0; i < parameter.covers(int(d)).begins_size(); ++i)
      for (int64_t at = parameter.covers(int(d)).begins(i); at < parameter.covers(int(d)).ends(i); ++at)
        held[d].push_back(at);
  std::vector<int64_t> index(rank);
  int64_t elements = elementsOf(parameter.tensor());
  for (int64_t e = 0; e < elements; ++e) {
    int64_t rest = e, global = 0, stride = 1;
    for (size_t d = rank; d-- > 0;) {
      int64_t size = int64_t(held[d].size());
      index[d] = held[d][size_t(rest % size)];
      global += index[d] * stride;
      rest /= size;
      stride *= parameter.global_shape(int(d));
    }
    f(e, global, std::span<const int64_t>(index));
  }
}

/// Elements that a rank holds and that are neighbours in the whole parameter too.
struct HeldRun {
  int64_t local, global, count; ///< the first, among the rank's and among all; how many
};

/// All elements that a rank holds, as runs in the order in which they lie in its memory. A run is joined to the next
/// one until it has `enough` elements.
inline std::vector<HeldRun> heldRuns(const plan::Parameter &parameter, int64_t enough) {
  std::vector<HeldRun> runs = {{0, 0, 1}};
  for (int d = 0; d < parameter.global_shape_size(); ++d) {
    const plan::Cover &cover = parameter.covers(d);
    std::vector<HeldRun> inner; // the same with dimension d
    int64_t local = 0;
    for (const HeldRun &run : runs)
      for (int64_t outer = run.global; outer < run.global + run.count; ++outer)
        for (int i = 0; i < cover.begins_size(); ++i) {
          const int64_t global = outer * parameter.global_shape(d) + cover.begins(i);
          const int64_t count = cover.ends(i) - cover.begins(i);
          const bool isJoined =
              !inner.empty() && inner.back().count < enough && inner.back().global + inner.back().count == global;
          if (isJoined)
            inner.back().count += count;
          else
            inner.push_back({local, global, count});
          local += count;
        }
    runs = std::move(inner);
  }
  return runs;
}

/// A rank of a mesh.
struct MeshPlace {
  int64_t tp, dp, tpRank, dpRank;
};

/// Elements [begin, end) of a bucket, and where they lie.
struct BucketPart {
  int64_t begin, end;
  plan::TensorRef tensor;
  int64_t slices; ///< in so many its tensor's elements lie: 1, one a dp rank, or one a rank
};

/// What a rank has of elements [begin, end) of a bucket, in one of the bucket's tensors: all, or what lies in its slice.
/// Where that is nothing, begin is end.
inline BucketPart bucketPart(const plan::Bucket &bucket, const plan::TensorRef &flat, int64_t begin, int64_t end,
                             const MeshPlace &place) {
  const int64_t held = elementsOf(flat), slices = held ? bucket.elements() / held : 1;
  const int64_t slice = slices == 1 ? 0 : slices == place.dp ? place.dpRank : place.dpRank * place.tp + place.tpRank;
  const int64_t first = slice * held;
  BucketPart part{std::max(begin, first), std::min(end, first + held), flat, slices};
  part.end = std::max(part.end, part.begin);
  part.tensor.clear_shape();
  part.tensor.add_shape(part.end - part.begin);
  if (part.begin < part.end)
    part.tensor.set_offset(flat.offset() + uint64_t(part.begin - first) * sizeOf(DType(flat.dtype())));
  return part;
}

} // namespace autotp
