/// \file Tables that are told from parameters by their contents alone.
#pragma once

#include "compiler/ir/tensor.h"

#include "llvm/ADT/StringRef.h"

namespace autotp {

/// Numbers of at most -1e4 (-inf, the lowest float) beside zeros: what masks add to scores.
bool isAdditiveMask(const Tensor &tensor);
/// Zeros and ones, both of them.
bool isBinary(const Tensor &tensor);
/// One number throughout.
bool isOneNumber(const Tensor &tensor);
/// Rows along which numbers grow by the same step: slopes of positions.
bool isSloped(const Tensor &tensor);
/// Sines and cosines of the same angles beside each other in each row, in turns or in halves.
bool isSinusoidal(const Tensor &tensor);
/// Two tables of cosines and sines of the same angles: the squares sum to one number.
bool areRotations(const Tensor &a, const Tensor &b);

} // namespace autotp
