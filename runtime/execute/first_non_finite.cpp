// runtime/execute/first_non_finite.cpp: runs a section again, to find the step whose result is not finite.
#include "runtime/execute/executor.h"

#include "runtime/plan/check_program.h"

#include <cmath>
#include <cstring>

namespace autotp {
namespace {

/// bf16 and f16 are tested by their bits: a number is not finite if all bits of its exponent are 1.
bool isFinite(const std::byte *at, DType dtype) {
  uint16_t half = 0;
  float single = 0;
  double wide = 0;
  switch (dtype) {
  case DType::F32:
    std::memcpy(&single, at, sizeof single);
    return std::isfinite(single);
  case DType::F64:
    std::memcpy(&wide, at, sizeof wide);
    return std::isfinite(wide);
  case DType::BF16:
    std::memcpy(&half, at, sizeof half);
    return (half & 0x7f80) != 0x7f80;
  case DType::F16:
    std::memcpy(&half, at, sizeof half);
    return (half & 0x7c00) != 0x7c00;
  default:
    return true;
  }
}

} // namespace

bool Executor::isFinite(const plan::TensorRef &tensor) const {
  const DType dtype = DType(tensor.dtype());
  if (!autotp::isFloat(dtype)) return true;
  std::vector<std::byte> held(bytes(tensor).size());
  download(tensor, held.data());
  for (size_t at = 0; at < held.size(); at += sizeOf(dtype))
    if (!autotp::isFinite(held.data() + at, dtype)) return false;
  return true;
}

llvm::Expected<int> Executor::firstNonFinite(llvm::StringRef name) {
  const Section &section = sections_.find(name)->second;
  int first = -1;
  for (size_t i = 0; i < section.steps.size(); ++i) {
    const Step &step = section.steps[i];
    const Status status = step.kernel ? step.kernel->run() : communicate(step) ? Status::Ok : Status::LibraryFailed;
    if (status != Status::Ok) return step.kernel ? describe(*step.source, status) : anotherFailed(step.source->name());
    if (llvm::Error error = synchronise()) return error;
    if (first >= 0) continue; // it goes on, since other ranks wait in the collectives
    bool areFinite = true;
    if (step.kernel)
      for (const plan::TensorRef &result : step.source->kernel().results())
        areFinite &= isFinite(result);
    else
      areFinite = isFinite(step.collective->result());
    if (!areFinite) first = int(i);
  }
  return first;
}

} // namespace autotp
