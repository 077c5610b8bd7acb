/// \file What a model's file leaves open, for import.h.
#pragma once

#include "llvm/ADT/StringMap.h"

#include <cstdint>

namespace autotp {

struct ImportOptions {
  llvm::StringMap<int64_t> shapes; ///< --shape: sizes of dynamic dimensions, by their name or place ("ids:1")
  int64_t microBatch = 0;          ///< the size of a dynamic batch dimension; 0 means 1
};

} // namespace autotp
