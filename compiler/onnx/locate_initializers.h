/// \file Where the numbers of a model's initializers lie: in the model itself, or in files beside it.
#pragma once

#include "runtime/plan/located_tensor.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// The initializers of the graph that have floats as bytes one after the other, in the order of the file. Left out are
/// those without contents, and half precision that is spelled as integers. An artifact folder has none. Errors: as of
/// importModel(), which has read the same file.
llvm::Expected<std::vector<LocatedTensor>> locateInitializers(llvm::StringRef model);

} // namespace autotp
