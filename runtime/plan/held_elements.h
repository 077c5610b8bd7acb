/// \file The elements of a parameter that one rank holds.
#pragma once

#include "runtime/plan/check_program.h"

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

} // namespace autotp
