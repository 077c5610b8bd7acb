#include "passes/emit/order_queues.h"

#include "runtime/plan/step_order.h"

#include <vector>

namespace autotp {
namespace {

void orderSection(plan::Section &section, int64_t dp, uint32_t &events) {
  std::vector<Accesses> accesses;
  for (const plan::Instruction &instruction : section.instructions())
    accesses.push_back(accessesOf(instruction));
  // For kernels and for collectives: the last step of the other queue that this queue has waited for.
  int done[2] = {-1, -1};
  for (int i = 0; i < section.instructions_size(); ++i) {
    plan::Instruction &instruction = *section.mutable_instructions(i);
    // The latest conflict suffices, since steps before it in the other queue have run by then.
    const bool isCollective = instruction.has_collective();
    for (int j = i - 1; j > done[isCollective]; --j) {
      plan::Instruction &other = *section.mutable_instructions(j);
      if (other.has_collective() == isCollective || !conflict(accesses[size_t(i)], accesses[size_t(j)], dp)) continue;
      if (other.signals() == 0) other.set_signals(++events);
      instruction.add_waits(other.signals() - 1);
      done[isCollective] = j;
      break;
    }
  }
}

} // namespace

void orderQueues(plan::Program &program, int64_t dp) {
  uint32_t events = 0;
  for (plan::Section &section : *program.mutable_sections())
    orderSection(section, dp, events);
  program.set_events(events);
}

} // namespace autotp
