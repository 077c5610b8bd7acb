/// \file Fuses a bias and a gelu, or the gradient of a gelu, into the product before them, so that the product's result
/// is written once and not read again.
/// Before:  %p = matmul(%a, %b);  %x = add(%p, %bias);  %y = gelu(%x) {tanh=1};  .. gelu_grad(%x, ..)
/// After:   %x, %y = matmul_bias_gelu(%a, %b, %bias);   .. gelu_grad(%x, ..)
///          or %x = matmul_bias(%a, %b, %bias) if there is no such gelu
/// Before:  %d = matmul(%e, %f);  %dx = gelu_grad(%x, %d) {tanh=1}
/// After:   %dx = matmul_gelu_grad(%e, %f, %x)
///
/// The pass works on the program of one tp rank. If the product is Partial, its all-reduce already stands behind it
/// there, and what follows the all-reduce is no epilogue. A bias is a vector along the columns of the product, of the
/// product's dtype, and the product has no other use. A gelu is fused in its tanh form only, the one that cuBLASLt has,
/// and only if the backward keeps the gelu's operand; otherwise the gelu is computed in place of that operand. Values
/// in state slices stay results of their own operators. On the cpu, oneDNN adds the bias, while gelu and its gradient
/// run after the product as they would alone.
///
/// The gradient of a bias is not fused (cuBLASLt's BGRADA and BGRADB), since the library writes it in the product's
/// dtype. It stays a sum in f32, which buckets expect.
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

void fuseEpilogues(Section &section);

} // namespace autotp
