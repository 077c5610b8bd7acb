/// \file Makes a scaled dot-product attention one operator.
/// Before:  %s = matmul(mul(%q, c), mul(%kT, c));  %p = softmax(add(%s, %mask));  %y = matmul(%p, %v)
///          all [b, h, ..]
/// After:   %o, _ = attention(%q', %k', %v'[, %mask']) {causal, scale=c*c};  %y = transpose(%o)
///          with [b, length, heads, size]
/// Accepted spellings: the scale on q, on k, on both, or on the scores, by mul or div; k transposed in any way, also as
/// [b*h, t, d]; products over [b*h, ..]; a mask that is added, or that replaces scores (where); NaN replaced after the
/// softmax (is_nan). If keys and values are repeated for groups of heads (reshape, expand, reshape), the unrepeated
/// ones are used. A constant causal mask becomes causal=1 (also that of an attention which the exporter wrote as one
/// operator), and a mask of zeros is dropped. Transposes of q, k and v are merged with the new ones.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error recogniseAttention(Graph &graph);

} // namespace autotp
