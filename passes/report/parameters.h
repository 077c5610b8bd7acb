/// \file Reports which initializers are trained, which are not, and by which evidence.
#pragma once

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {

struct CompiledModel;

/// Prints how many parameters each kind of evidence gives, and those that the exporter had merged or dropped.
void printTrained(const CompiledModel &compiled, llvm::raw_ostream &os);

/// Prints the initializers that are not trained, except single numbers; those with the same reason share a line.
void printConstants(const CompiledModel &compiled, llvm::raw_ostream &os);

/// All initializers, for the manifest.
llvm::json::Array initializersJson(const CompiledModel &compiled);

} // namespace autotp
