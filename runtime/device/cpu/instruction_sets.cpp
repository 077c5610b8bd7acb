#include "runtime/device/cpu/instruction_sets.h"

// CMakeLists.txt defines AUTOTP_CPU_HAS_... for each set that is compiled.
extern "C" {
const autotp::cpu::Kernels *autotpCpuKernels_v4();
const autotp::cpu::Kernels *autotpCpuKernels_v3();
const autotp::cpu::Kernels *autotpCpuKernels_v2();
const autotp::cpu::Kernels *autotpCpuKernels_base();
}

namespace autotp::cpu {

llvm::ArrayRef<InstructionSet> instructionSets() {
  static constexpr InstructionSet kSets[] = {
#ifdef AUTOTP_CPU_HAS_v4
      {"x86-64-v4", autotpCpuKernels_v4, [] { return __builtin_cpu_supports("x86-64-v4") != 0; }},
#endif
#ifdef AUTOTP_CPU_HAS_v3
      {"x86-64-v3", autotpCpuKernels_v3, [] { return __builtin_cpu_supports("x86-64-v3") != 0; }},
#endif
#ifdef AUTOTP_CPU_HAS_v2
      {"x86-64-v2", autotpCpuKernels_v2, [] { return __builtin_cpu_supports("x86-64-v2") != 0; }},
#endif
#ifdef AUTOTP_CPU_HAS_base
      {"base", autotpCpuKernels_base, [] { return true; }},
#endif
  };
  return kSets;
}

} // namespace autotp::cpu
