/// \file What people call the axes of a transformer, read from the operators that have them.
#pragma once

#include "passes/pipeline.h"

namespace autotp {

/// By leaf, roots of `compiled.placement.axes`: "vocabulary" (rows of a table that tokens look up; classes of the cross-entropy, if
/// there are as many), "classes" (others), "heads" (of attention, or of a softmax's operand but for what it sums over),
/// "experts" (a weight's dimension that a product does not sum and gives to both of its operands), "ffn" (between two
/// products with weights). Axes that are none of these have no entry.
llvm::DenseMap<AxisId, llvm::StringRef> axisRoles(const CompiledModel &compiled);

} // namespace autotp
