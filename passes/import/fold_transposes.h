/// \file A transpose of a product's last two dimensions becomes the product's own trans flag.
/// Before:  %t = transpose(%w) {perm=[1, 0]};  %y = matmul(%x, %t)
/// After:   %y = matmul(%x, %w) {trans_b=1}
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error foldTransposes(Graph &graph);

} // namespace autotp
