/// \file The verifier of the IR: what must hold of every graph after every pass, in release builds too.
#pragma once

#include "compiler/ops/op_def.h"

namespace autotp {

/// Checks that every operator has a row, that types are those that its row infers, that operands come before their
/// uses, that lists of uses are right, and that each output exists. Errors name every node that breaks a rule.
llvm::Error verify(const Graph &graph);

} // namespace autotp
