/// \file Tests of a tensor's contents that tell tables from parameters.
#pragma once

#include "compiler/ir/tensor.h"

#include "llvm/ADT/StringRef.h"

namespace autotp {

/// Whether it holds only zeros and numbers of at most -1e4 (such as -inf), as masks that are added to scores do.
bool isAdditiveMask(const Tensor &tensor);
/// Whether it holds only zeros and ones, and both of them.
bool isBinary(const Tensor &tensor);
/// Whether all its elements are the same number.
bool isOneNumber(const Tensor &tensor);
/// Whether numbers grow by the same step along rows, as the slopes of positions do.
bool isSloped(const Tensor &tensor);
/// Whether each row holds sines and cosines of the same angles, alternating or in halves.
bool isSinusoidal(const Tensor &tensor);
/// Whether the tables are cosines and sines of the same angles, so that their squares add up to one number.
bool areRotations(const Tensor &a, const Tensor &b);

} // namespace autotp
