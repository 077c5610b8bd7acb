/// \file Folds constants and removes what does nothing, so that later passes see one spelling.
/// Before:  %a = reshape(reshape(%x));  %b = transpose(transpose(%x)) back;  %c = mul(%x, 1);  %d = add(const, const)
/// After:   %a = reshape(%x);           %x;                                  %x;               a constant
/// Equal nodes become one; nodes without a use go. Never changes a value of the graph.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error canonicalise(Graph &graph);

} // namespace autotp
