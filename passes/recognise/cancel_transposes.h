/// \file Merges transposes of transposes, and removes those that change nothing.
/// Before:  %a = transpose(%x) {perm=[0, 2, 1, 3]};  %b = transpose(%a) {perm=[0, 2, 1, 3]};  %y = silu(%b)
/// After:   %y = silu(%x)
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error cancelTransposes(Graph &graph);

} // namespace autotp
