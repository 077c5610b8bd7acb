#include "tests/compiler/certify/plan_mutations.h"

#include "passes/emit/order_queues.h"

#include <map>

namespace autotp::test {

std::vector<MutationKind> mutationKinds() {
  std::vector<MutationKind> all = collectiveMutations();
  for (const std::vector<MutationKind> &more :
       {stepMutations(), stateMutations(), precisionMutations(), epilogueMutations()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

void orderAnew(Programs &programs, int64_t dp) {
  for (plan::Program &program : programs) {
    for (plan::Section &section : *program.mutable_sections()) {
      std::map<uint32_t, uint64_t> next;
      for (plan::Instruction &step : *section.mutable_instructions()) {
        step.clear_waits();
        step.clear_signals();
        if (step.has_collective()) step.mutable_collective()->set_sequence(next[step.collective().group()]++);
      }
    }
    orderQueues(program, dp);
  }
}

} // namespace autotp::test
