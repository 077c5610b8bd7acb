/// \file What a compile tells of initializers: which are trained, which are not, and by which evidence.
#pragma once

#include "passes/pipeline.h"

namespace autotp {

/// By which evidence parameters are parameters, and which ones the exporter had merged or dropped.
void printTrained(const CompiledModel &compiled, llvm::raw_ostream &os);

/// What is not trained and no mere number, those of one reason on one line.
void printConstants(const CompiledModel &compiled, llvm::raw_ostream &os);

/// For the manifest.
llvm::json::Array initializersJson(const CompiledModel &compiled);

} // namespace autotp
