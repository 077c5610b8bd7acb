/// \file Which instruction sets the kernels are compiled for, and which of these the host has.
#pragma once

#include "runtime/device/cpu/kernel_table.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace autotp::cpu {

/// What a set of kernels offers: see kernels.cpp.
struct Kernels {
  const KernelRow *(*findRow)(KernelId kernel); ///< null for a kernel that the device does not have
  void (*combine)(const Combination &combination);
};

struct InstructionSet {
  llvm::StringLiteral name; ///< "x86-64-v3", as compilers call it; "base" where there is one set only
  const Kernels *(*kernels)();
  bool (*isOnHost)();
};

/// The best comes first.
llvm::ArrayRef<InstructionSet> instructionSets();

} // namespace autotp::cpu
