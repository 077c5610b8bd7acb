/// \file Makes scaled dot-product attention one operator.
/// Before:  %s = matmul(mul(%q, c), mul(%kT, c));  %p = softmax(add(%s, %mask));  %y = matmul(%p, %v)
///          all [b, h, ..]
/// After:   %o, _ = attention(%q', %k', %v'[, %mask']) {causal, scale=c*c};  %y = transpose(%o)
///          with [b, length, heads, size]
/// Spellings: the scale on q, on k, on both, or on the scores, by mul or div; k transposed in any way,
/// also as [b*h, t, d]; products over [b*h, ..]; a mask that is added, or that replaces scores (where); is_nan cleaned
/// up after the softmax. Keys and values repeated for groups of heads (reshape, expand, reshape) are taken unrepeated.
/// A constant causal mask becomes causal=1 (also of an attention that the exporter wrote as one operator), a mask of
/// zeros vanishes. Transposes of q, k and v are joined with the new ones.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error recogniseAttention(Graph &graph);

} // namespace autotp
