/// \file Names the axes of a transformer as people call them, by the operators that have them.
#pragma once

#include "compiler/axes/axis_arena.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringRef.h"

namespace autotp {

struct CompiledModel;

/// The role of each leaf, a root of `compiled.placement.axes`: "vocabulary" (rows of a table that tokens look up, or as
/// many classes of the cross-entropy), "classes" (other classes), "heads" (of attention; or a dimension of a softmax's
/// operand over which it does not sum), "experts" (a dimension of a weight that a product has in both operands and does
/// not sum over), "ffn" (between two products with weights). Other axes have no entry.
llvm::DenseMap<AxisId, llvm::StringRef> axisRoles(const CompiledModel &compiled);

} // namespace autotp
