/// \file What two steps of training with a plan's programs come to, on all ranks.
#pragma once

#include "tests/compiler/certify/plan_mutations.h"

#include <map>

namespace autotp::test {

struct TrainedPlan {
  std::string failure;                                     ///< empty: all ranks ran
  std::vector<std::vector<double>> losses;                 ///< by rank, by step
  using Elements = std::map<int64_t, float>;               ///< by global element
  std::vector<std::map<std::string, Elements>> parameters; ///< by rank: what it holds
};

TrainedPlan trainTwice(const Programs &programs, int64_t tp, int64_t dp, int64_t gradAccum);

/// Why it leaves the bounds; empty where it does not.
std::string differenceOf(const TrainedPlan &plan, const TrainedPlan &sound);

} // namespace autotp::test
