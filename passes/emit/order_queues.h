/// \file Orders kernels and collectives, which run in two queues, by events.
/// Before:  steps in an order that is right when they run one after the other
/// After:   a step waits for the last step of the other queue that it conflicts with, unless its own queue has waited
/// for
///          that or a later one already: no wait is needless, and none is missing (checkOrder of runtime/plan)
/// Two steps conflict where one writes bytes that the other touches, so reuse of memory is ordered as data is.
#pragma once

#include "runtime/plan/plan.pb.h"

namespace autotp {

/// `dp`: on how many dp ranks the program runs, each with its own slices.
void orderQueues(plan::Program &program, int64_t dp);

} // namespace autotp
