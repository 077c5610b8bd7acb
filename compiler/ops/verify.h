/// \file The IR verifier: what must hold of every graph, after every pass, in release builds too.
#pragma once

#include "compiler/ops/op_def.h"

namespace autotp {

/// Every operator has a row; types are what its row infers; operands come before their uses; use lists are right; each
/// output exists. Errors name every node that breaks a rule.
llvm::Error verify(const Graph &graph);

} // namespace autotp
