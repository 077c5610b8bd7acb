/// \file Single faults in plans.
#pragma once

#include "runtime/plan/plan.pb.h"

#include <random>
#include <string>
#include <vector>

namespace autotp::test {

using Programs = std::vector<plan::Program>; ///< by tp rank

/// A fault of one kind at a random place; false where there is no such place. `where` says what was done.
struct MutationKind {
  const char *name;
  bool (*apply)(Programs &programs, std::mt19937 &random, std::string &where);
  bool mayCrash = false;    ///< not run where it is caught: a library keeps addresses in its workspace
  bool keepsEvents = false; ///< else the queues are ordered anew, so that no event gives the fault away
};
std::vector<MutationKind> collectiveMutations();
std::vector<MutationKind> stepMutations();
std::vector<MutationKind> stateMutations();
std::vector<MutationKind> precisionMutations();
std::vector<MutationKind> epilogueMutations();
std::vector<MutationKind> mutationKinds(); ///< all

/// Numbers collectives anew and orders the queues anew, as a compiler that made the fault would have.
void orderAnew(Programs &programs, int64_t dp);

} // namespace autotp::test
