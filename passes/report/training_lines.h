/// \file What the summary says of a training step: how parameters are updated, and what one step trains on.
#pragma once

#include "llvm/Support/raw_ostream.h"

namespace autotp {

struct CompiledModel;
struct CompileOptions;

/// The lines "optimizer", "decay", "lr" and "batch".
void printTraining(const CompiledModel &compiled, const CompileOptions &options, llvm::raw_ostream &os);

} // namespace autotp
