/// \file One product of matrices, by a library or in pieces by it.
#pragma once

#include "runtime/device/cpu/kernel_table.h"

namespace autotp::cpu {

/// a [.., m, k] x b [.., k, n] = c [.., m, n], all of them f32, or all bf16 where `multipliesBf16()`, where c may be f32. Leading dimensions
/// broadcast. Of a transposed operand the last two dimensions are the other way round.
struct ProductTensors {
  TensorArg a, b, bias, c;                       ///< the bias is [n]; its data is null where there is none
  int64_t aStride = 0, bStride = 0, cStride = 0; ///< elements from one row to the next; 0: as many as a row has
};

/// oneDNN 2 multiplies bf16 on processors with AVX-512, and f16 on none.
constexpr bool multipliesBf16() {
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
  return true;
#else
  return false;
#endif
}

/// By one call of the library, in the workspace of `call`, on as many threads as it says.
Prepared wholeProduct(const Call &call, const ProductTensors &tensors, bool transA, bool transB);
/// The same, or in pieces where these are faster.
Prepared product(const Call &call, const ProductTensors &tensors, bool transA, bool transB);

/// The call with all of its workspace but the last `bytes`, where `last` then points.
Call withoutLast(const Call &call, size_t bytes, std::byte *&last);

} // namespace autotp::cpu
