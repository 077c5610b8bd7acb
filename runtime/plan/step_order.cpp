#include "runtime/plan/step_order.h"

#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/dtype.h"

#include <algorithm>

namespace autotp {
namespace {

bool overlap(const Access &a, const Access &b, int64_t dp) {
  if (a.bytes == 0 || b.bytes == 0) return false;
  const int64_t ranks = a.stride == b.stride ? 1 : dp; // equally far apart on every rank
  for (int64_t r = 0; r < ranks; ++r) {
    uint64_t x = a.offset + uint64_t(r) * a.stride, y = b.offset + uint64_t(r) * b.stride;
    if (x < y + b.bytes && y < x + a.bytes) return true;
  }
  return false;
}

std::string nameOfStep(const plan::Step &step) {
  return "step '" + escaped(step.name()) + "' (from " + escaped(step.origin()) + ")";
}

/// Walks one section: what each queue is known to have waited for.
class SectionOrder {
public:
  SectionOrder(const plan::Section &section, uint32_t events, int64_t dp)
      : section_(section), dp_(dp), signalledBy_(events, -1) {
    for (const plan::Step &step : section.steps())
      accesses_.push_back(accessesOf(step));
  }

  llvm::Error run() {
    for (int i = 0; i < section_.steps_size(); ++i) {
      const plan::Step &step = section_.steps(i);
      const bool isCollective = step.has_collective();
      for (uint32_t event : step.waits()) {
        if (event >= signalledBy_.size() || signalledBy_[event] < 0)
          return problem(nameOfStep(step), "it waits for an event that no earlier step signals",
                         "compile the plan again");
        if (section_.steps(signalledBy_[event]).has_collective() != isCollective)
          done_[isCollective] = std::max(done_[isCollective], signalledBy_[event]);
      }
      for (int j = i - 1; j > done_[isCollective]; --j)
        if (section_.steps(j).has_collective() != isCollective &&
            conflict(accesses_[size_t(i)], accesses_[size_t(j)], dp_))
          return problem(nameOfStep(step), "it may run before " + nameOfStep(section_.steps(j)) + " is done",
                         "compile the plan again");
      if (step.signals() == 0) continue;
      if (step.signals() > signalledBy_.size() || signalledBy_[step.signals() - 1] >= 0)
        return problem(nameOfStep(step), "its event is unknown, or another step's", "compile the plan again");
      signalledBy_[step.signals() - 1] = i;
    }
    return llvm::Error::success();
  }

private:
  const plan::Section &section_;
  int64_t dp_;
  std::vector<int> signalledBy_; ///< by event: its step
  std::vector<Accesses> accesses_;
  int done_[2] = {-1, -1}; ///< of kernels, of collectives: the last step of the other queue that is known to be done
};

} // namespace

Accesses accessesOf(const plan::Step &step) {
  Accesses all;
  auto add = [&](const plan::TensorRef &tensor, bool writes) {
    all.push_back({tensor.offset(), tensor.dp_stride(),
                   uint64_t(std::max<int64_t>(0, elementsOf(tensor))) * sizeOf(DType(tensor.dtype())), writes});
  };
  if (step.has_kernel()) {
    for (const plan::TensorRef &operand : step.kernel().operands())
      add(operand, false);
    for (const plan::TensorRef &result : step.kernel().results())
      add(result, true);
    all.push_back({step.kernel().workspace_offset(), 0, step.kernel().workspace_bytes(), true});
  } else {
    add(step.collective().operand(), false);
    add(step.collective().result(), true);
  }
  return all;
}

bool conflict(const Accesses &a, const Accesses &b, int64_t dp) {
  for (const Access &x : a)
    for (const Access &y : b)
      if ((x.writes || y.writes) && overlap(x, y, dp)) return true;
  return false;
}

llvm::Error checkOrder(const plan::Program &program, int64_t dp) {
  constexpr uint32_t kMostEvents = 1 << 24;
  if (program.events() > kMostEvents) return problem("program", "it has too many events", "compile the plan again");
  for (const plan::Section &section : program.sections())
    if (llvm::Error error = SectionOrder(section, program.events(), dp).run()) return error;
  return llvm::Error::success();
}

} // namespace autotp
