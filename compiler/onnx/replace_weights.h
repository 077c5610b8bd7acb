/// \file Writes a model again, as it is but for the values of what was trained.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <string>
#include <vector>

namespace autotp {

/// New values of a parameter, under the name that the compiler gave it.
struct ReplacedWeight {
  std::string name;
  std::vector<int64_t> shape;
  std::function<llvm::Expected<std::vector<float>>()> read; ///< row-major; called once, one weight after the other
};

/// Writes the model at `path` to `output`. A weight is an initializer, a Constant node, or a copy of an initializer (an
/// Identity node, which becomes an initializer); it keeps its element type, to which values are rounded. Contents lie beside
/// the model, in OUTPUT.data, if some of them did or if they exceed 1.5 GiB. Errors, all of them: weights that the model does
/// not have, or has in another shape; files that cannot be read or written.
llvm::Error replaceWeights(const std::string &path, const std::string &output, llvm::ArrayRef<ReplacedWeight> weights);

} // namespace autotp
