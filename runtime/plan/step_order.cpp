#include "runtime/plan/step_order.h"

#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/dtype.h"

#include <algorithm>
#include <map>

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

std::string nameOfInstruction(const plan::Instruction &instruction) {
  return "instruction '" + escaped(instruction.name()) + "' (from " + escaped(instruction.origin()) + ")";
}

/// For every byte, the last step of each queue that touched it, and that wrote it. The slices of all dp ranks are one
/// range here, so it may name a step that does not conflict, but never an earlier one than the last that does.
class ByteHistory {
public:
  explicit ByteHistory(int64_t dp) : dp_(dp) {}

  int lastConflict(const Accesses &accesses, bool queue) const {
    int last = -1;
    for (const Access &access : accesses) {
      const uint64_t end = endOf(access);
      auto at = steps_.upper_bound(access.offset);
      if (at != steps_.begin() && std::prev(at)->second.end > access.offset) --at;
      for (; access.bytes && at != steps_.end() && at->first < end; ++at)
        last = std::max(last, access.writes ? at->second.touched[queue] : at->second.written[queue]);
    }
    return last;
  }

  void add(const Accesses &accesses, bool queue, int instruction) {
    for (const Access &access : accesses)
      if (access.bytes) add(access.offset, endOf(access), access.writes, queue, instruction);
  }

private:
  struct Last {
    uint64_t end;
    int touched[2] = {-1, -1}, written[2] = {-1, -1};
  };

  uint64_t endOf(const Access &access) const {
    return access.offset + uint64_t(dp_ - 1) * access.stride + access.bytes;
  }

  void cut(uint64_t at) {
    auto next = steps_.upper_bound(at);
    if (next == steps_.begin()) return;
    auto here = std::prev(next);
    if (here->first == at || here->second.end <= at) return;
    steps_.emplace_hint(next, at, here->second);
    here->second.end = at;
  }

  void add(uint64_t begin, uint64_t end, bool writes, bool queue, int instruction) {
    cut(begin);
    cut(end);
    for (auto at = steps_.lower_bound(begin); begin < end; ++at) {
      if (at == steps_.end() || at->first > begin) // nobody touched these bytes yet
        at = steps_.emplace_hint(at, begin, Last{at == steps_.end() ? end : std::min(end, at->first)});
      at->second.touched[queue] = instruction;
      if (writes) at->second.written[queue] = instruction;
      begin = at->second.end;
    }
  }

  int64_t dp_;
  std::map<uint64_t, Last> steps_; ///< by first byte
};

/// Walks one section: what each queue is known to have waited for.
class SectionOrder {
public:
  SectionOrder(const plan::Section &section, uint32_t events, int64_t dp)
      : section_(section), dp_(dp), signalledBy_(events, -1), history_(dp) {
    for (const plan::Instruction &instruction : section.instructions())
      accesses_.push_back(accessesOf(instruction));
  }

  llvm::Error run() {
    for (int i = 0; i < section_.instructions_size(); ++i) {
      const plan::Instruction &instruction = section_.instructions(i);
      const bool isCollective = instruction.has_collective();
      for (uint32_t event : instruction.waits()) {
        if (event >= signalledBy_.size() || signalledBy_[event] < 0)
          return problem(nameOfInstruction(instruction), "it waits for an event that no earlier step signals",
                         "compile the plan again");
        if (section_.instructions(signalledBy_[event]).has_collective() != isCollective)
          done_[isCollective] = std::max(done_[isCollective], signalledBy_[event]);
      }
      for (int j = history_.lastConflict(accesses_[size_t(i)], !isCollective); j > done_[isCollective]; --j)
        if (section_.instructions(j).has_collective() != isCollective &&
            conflict(accesses_[size_t(i)], accesses_[size_t(j)], dp_))
          return problem(nameOfInstruction(instruction),
                         "it may run before " + nameOfInstruction(section_.instructions(j)) + " is done",
                         "compile the plan again");
      history_.add(accesses_[size_t(i)], isCollective, i);
      if (instruction.signals() == 0) continue;
      if (instruction.signals() > signalledBy_.size() || signalledBy_[instruction.signals() - 1] >= 0)
        return problem(nameOfInstruction(instruction), "its event is unknown, or another step's",
                       "compile the plan again");
      signalledBy_[instruction.signals() - 1] = i;
    }
    return llvm::Error::success();
  }

private:
  const plan::Section &section_;
  int64_t dp_;
  std::vector<int> signalledBy_; ///< by event: its step
  std::vector<Accesses> accesses_;
  ByteHistory history_;
  int done_[2] = {-1, -1}; ///< of kernels, of collectives: the last step of the other queue that is known to be done
};

} // namespace

Accesses accessesOf(const plan::Instruction &instruction) {
  Accesses all;
  auto add = [&](const plan::TensorRef &tensor, bool writes) {
    all.push_back({tensor.offset(), tensor.dp_stride(),
                   uint64_t(std::max<int64_t>(0, elementsOf(tensor))) * sizeOf(DType(tensor.dtype())), writes});
  };
  if (instruction.has_kernel()) {
    for (const plan::TensorRef &operand : instruction.kernel().operands())
      add(operand, false);
    for (const plan::TensorRef &result : instruction.kernel().results())
      add(result, true);
    all.push_back({instruction.kernel().workspace_offset(), 0, instruction.kernel().workspace_bytes(), true});
  } else {
    add(instruction.collective().operand(), false);
    add(instruction.collective().result(), true);
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
