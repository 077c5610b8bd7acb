/// \file Folds constants and removes nodes without effect, so that later passes see one spelling of each idiom.
/// Before:  %a = reshape(reshape(%x));  %b = transpose(transpose(%x)) back;  %c = mul(%x, 1);  %d = add(const, const)
/// After:   %a = reshape(%x);           %x;                                  %x;               a constant
/// Equal nodes become one, and nodes without a use are erased. No value of the graph changes.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error canonicalise(Graph &graph);

} // namespace autotp
