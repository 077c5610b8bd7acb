/// \file What two steps of training with a plan's programs come to, on all ranks.
#pragma once

#include "tests/compiler/certify/plan_mutations.h"

#include "llvm/ADT/StringMap.h"

namespace autotp::test {

struct TrainedPlan {
  std::string failure; ///< empty: all ranks ran
  std::vector<std::vector<double>> losses;                    ///< by rank, by step
  std::vector<std::vector<std::vector<float>>> parameters;    ///< by rank, in the order of the program
};

TrainedPlan trainTwice(const Programs &programs, int64_t tp, int64_t dp, int64_t gradAccum);

/// Why it leaves the bounds; empty where it does not.
std::string differenceOf(const TrainedPlan &plan, const TrainedPlan &sound);

} // namespace autotp::test
