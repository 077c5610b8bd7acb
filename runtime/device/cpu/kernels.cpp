/// \file All kernels of one instruction set: this folder's kernels are compiled once for each, and linked so that these
/// tables are all that the rest of the program sees of them.
#include "runtime/device/cpu/instruction_sets.h"
#include "runtime/device/cpu/kernel_table.h"

namespace autotp::cpu {

const KernelRow *findRow(KernelId kernel) {
  static constexpr std::span<const KernelRow> (*kFamilies[])() = {
#define AUTOTP_FAMILY(family) family,
#include "runtime/device/cpu/families.def"
#undef AUTOTP_FAMILY
  };
  for (auto family : kFamilies)
    for (const KernelRow &row : family())
      if (row.kernel == kernel) return &row;
  return nullptr;
}

static constexpr Kernels kKernels = {findRow, combine};

} // namespace autotp::cpu

extern "C" const autotp::cpu::Kernels *AUTOTP_CPU_KERNELS() { return &autotp::cpu::kKernels; }
