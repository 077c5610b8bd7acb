/// \file Folds a transpose of the last two dimensions of an operand into the product's trans flag.
/// Before:  %t = transpose(%w) {perm=[1, 0]};  %y = matmul(%x, %t)
/// After:   %y = matmul(%x, %w) {trans_b=1}
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error foldTransposes(Graph &graph);

} // namespace autotp
