/// \file Why a value lies where it lies: for `autotp-compile --why VALUE`.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {

struct CompiledModel;

/// Prints the placement of the value `name`, and for each of its dimensions the axes that it runs over, whether they are
/// sharded and why, and through which nodes the value shares the axis with a parameter. `name` is the name of a value of
/// the graph after differentiation, of an initializer, or of the module that has it; a parameter's gradient is called
/// "grad:" and the parameter's name. The compile must have placed its reductions. Errors: there is no such value; names
/// that are like it are listed.
llvm::Error explainValue(const CompiledModel &compiled, llvm::StringRef name, llvm::raw_ostream &os);

} // namespace autotp
