/// \file What two steps of training with a plan's programs come to, on all ranks.
#pragma once

#include "tests/compiler/certify/plan_mutations.h"

#include <map>

namespace autotp::test {

struct TrainedPlan {
  /// Elements of a whole parameter, by their index there.
  struct Held {
    std::vector<int64_t> elements;
    std::vector<float> values;
  };
  std::string failure;                     ///< empty: all ranks ran
  std::vector<std::vector<double>> losses; ///< by rank: of each step, both sums of an evaluation, and the loss
  std::vector<double> lossScales;          ///< by rank, in the end; 0 where there is none
  std::vector<std::map<std::string, Held>> parameters; ///< by rank: what it holds; and "NAME, master" of small floats
};

TrainedPlan trainTwice(const Programs &programs, int64_t tp, int64_t dp, int64_t gradAccum);

/// All ranks' elements together, by parameter; NaN where no rank holds one.
using WholeParameters = std::map<std::string, std::vector<float>>;
WholeParameters wholeOf(const TrainedPlan &plan);

/// Why it leaves the bounds; empty where it does not. `whole`: of `sound`.
std::string differenceOf(const TrainedPlan &plan, const TrainedPlan &sound, const WholeParameters &whole);

} // namespace autotp::test
