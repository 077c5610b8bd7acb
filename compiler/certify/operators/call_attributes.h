/// \file Attributes of a kernel call in a program.
#pragma once

#include "compiler/ir/graph.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// Returns null if the call has none of this name.
const plan::Attribute *attributeOf(const plan::KernelCall &call, llvm::StringRef name);
int64_t integerOf(const plan::KernelCall &call, llvm::StringRef name, int64_t otherwise = 0);
bool isReal(const plan::KernelCall &call, llvm::StringRef name, double wanted);
/// Fails unless the call has these attributes and no others, but for those that `isLeftOut` names.
llvm::Error checkAttributes(const plan::KernelCall &call, const Attributes &attributes,
                            llvm::function_ref<bool(llvm::StringRef)> isLeftOut);
llvm::Error checkAttributes(const plan::KernelCall &call, const Attributes &attributes);

} // namespace autotp
