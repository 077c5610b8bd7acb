/// \file Attributes of a kernel call in a program.
#pragma once

#include "compiler/ir/graph.h"
#include "runtime/plan/plan.pb.h"

namespace autotp {

/// Null where it has none of this name.
const plan::Attribute *attributeOf(const plan::KernelCall &call, llvm::StringRef name);
int64_t integerOf(const plan::KernelCall &call, llvm::StringRef name, int64_t otherwise = 0);
/// Whether it has these attributes and no others, but for those that `isLeftOut` names. `why` says which differs.
bool attributesAgree(const plan::KernelCall &call, const Attributes &attributes,
                     llvm::function_ref<bool(llvm::StringRef)> isLeftOut, std::string &why);

} // namespace autotp
