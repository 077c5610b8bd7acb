/// \file Orders kernels and collectives, which run in two queues, by events.
/// Before:  steps in an order that is right if they run one after the other
/// After:   a step waits for the last step of the other queue that it conflicts with, unless its own queue has already
/// waited for that step or a later one
/// Two steps conflict if one writes bytes that the other reads or writes, so the reuse of memory is ordered like the
/// flow of data. No wait is redundant and none is missing; checkOrder of runtime/plan verifies this.
#pragma once

#include "runtime/plan/plan.pb.h"

namespace autotp {

/// `dp` is the number of dp ranks on which the program runs; it matters to conflicts, since each has slices of its own.
void orderQueues(plan::Program &program, int64_t dp);

} // namespace autotp
