/// \file What follows a product element by element becomes part of it: its result is written once, and not read again.
/// Before:  %p = matmul(%a, %b);  %x = add(%p, %bias);  %y = gelu(%x) {tanh=1};  .. gelu_grad(%x, ..)
/// After:   %x, %y = matmul_bias_gelu(%a, %b, %bias);   .. gelu_grad(%x, ..)
///          or %x = matmul_bias(%a, %b, %bias) where there is no such gelu
/// Before:  %d = matmul(%e, %f);  %dx = gelu_grad(%x, %d) {tanh=1}
/// After:   %dx = matmul_gelu_grad(%e, %f, %x)
///
/// On a coordinate's own program, where a product's pending sum has its all-reduce behind it: what is added or done after
/// that is no epilogue of the product. A bias is a vector along the product's columns, of its dtype, and the product has
/// no other use. Gelu goes along in its tanh form alone, which is cuBLASLt's; and where the backward keeps what it is
/// taken of, since else it is computed in that value's place. Values at home in a state stay results of their own
/// operators. On the cpu oneDNN adds the bias; gelu and its gradient run after the product as they would alone.
///
/// Not fused: a bias's gradient (cuBLASLt's BGRADA and BGRADB), which the library writes in the product's dtype. Ours is
/// a sum in f32, where buckets want it.
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

void fuseEpilogues(Section &section);

} // namespace autotp
