/// \file Names that users know: those of modules, as in "layers.0.mlp.up_proj.weight", instead of an exporter's "val_110".
#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>

namespace autotp {

struct CompiledModel;

/// The module's name of an initializer, or its own if no module has it. The text is the model's, or `initializer` itself.
llvm::StringRef moduleNameOf(const CompiledModel &compiled, llvm::StringRef initializer);

/// An axis or the reason why one stays whole, as choose-axes says it, with the module's name for the initializer's.
std::string withModuleNames(const CompiledModel &compiled, llvm::StringRef text);

} // namespace autotp
