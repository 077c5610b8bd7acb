/// \file Sharing a loop among the threads of a rank, in fixed parts: the same threads give the same bits.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace autotp::cpu {

/// Below this many elements of work, starting a team costs more than it saves.
constexpr int64_t kSerialElements = 16384;

/// body(begin, end, thread) over [0, count), thread i getting the i-th part. `elementsEach` is the work of one item; a
/// small loop, or one thread, runs here without a team.
template <typename Body> void parallelFor(int threads, int64_t count, int64_t elementsEach, Body body) {
  if (count <= 0) return;
  if (threads <= 1 || count == 1 || count * std::max<int64_t>(elementsEach, 1) < kSerialElements) {
    body(int64_t{0}, count, 0);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    // Parts are of the threads asked for, so a smaller team than that computes the same sums.
    for (int part = omp_get_thread_num(); part < threads; part += omp_get_num_threads()) {
      const int64_t begin = count * part / threads, end = count * (part + 1) / threads;
      if (begin < end) body(begin, end, part);
    }
  }
}

} // namespace autotp::cpu
