#include "runtime/execute/input_behind.h"

#include "runtime/plan/dtype.h"

#include "llvm/ADT/STLExtras.h"

#include <vector>

namespace autotp {
namespace {

struct Bytes {
  uint64_t begin, end;

  explicit Bytes(const plan::TensorRef &tensor) : begin(tensor.offset()) {
    uint64_t elements = 1;
    for (int64_t size : tensor.shape())
      elements *= uint64_t(size);
    end = begin + elements * sizeOf(DType(tensor.dtype()));
  }
  bool overlaps(const Bytes &other) const { return begin < other.end && other.begin < end; }
};

void addIntegers(const plan::KernelCall &call, std::vector<Bytes> &sought) {
  for (const plan::TensorRef &operand : call.operands())
    if (DType dtype = DType(operand.dtype()); dtype == DType::I64 || dtype == DType::I32)
      sought.push_back(Bytes(operand));
}

/// If the call wrote the bytes that are sought, the integers that it read are sought instead.
void stepBack(const plan::KernelCall &call, std::vector<Bytes> &sought) {
  bool isMaker = false;
  for (const plan::TensorRef &result : call.results()) {
    const size_t before = sought.size();
    llvm::erase_if(sought, [&](const Bytes &bytes) { return bytes.overlaps(Bytes(result)); });
    isMaker |= sought.size() != before;
  }
  if (isMaker) addIntegers(call, sought);
}

} // namespace

std::string inputBehind(const plan::Program &program, const plan::Instruction &instruction) {
  for (const plan::Section &section : program.sections()) {
    auto at = llvm::find_if(section.instructions(), [&](const plan::Instruction &one) { return &one == &instruction; });
    if (at == section.instructions().end()) continue;
    std::vector<Bytes> sought;
    addIntegers(instruction.kernel(), sought);
    for (int index = int(at - section.instructions().begin()) - 1; index >= 0; --index)
      if (section.instructions(index).has_kernel()) stepBack(section.instructions(index).kernel(), sought);
    for (const plan::Input &input : program.inputs())
      if (input.kind() == plan::FEED &&
          llvm::any_of(sought, [&](const Bytes &bytes) { return bytes.overlaps(Bytes(input.tensor())); }))
        return input.name();
  }
  return "";
}

} // namespace autotp
