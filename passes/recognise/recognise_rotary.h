/// \file Makes a written-out rotary position embedding (in its form of rotated halves) one operator.
/// Before:  %r = concat(neg(slice(%x, d/2..)), slice(%x, ..d/2));  %y = add(mul(%x, %cos), mul(%r, %sin))
///          with %x [b,h,s,d] and tables that broadcast to it as [1,1,s,d], or [b,s,h,d] and [1,s,1,d]
/// After:   %t = transpose(%x);  %u = rotary(%t, %cos', %sin') {inverse=0};  %y = transpose(%u)
///          with %t [b,s,h,d] and tables [s,d/2]; without transposes if %x is [b,s,h,d]
/// The two halves of a table must be equal: by value if it is a constant, by construction (concat(f, f)) if it is
/// computed. Layers that share a table share the new one.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error recogniseRotary(Graph &graph);

} // namespace autotp
