/// \file How messages write a shape.
#pragma once

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <string>

namespace autotp {

/// Text such as "[2, 3]".
std::string shapeText(llvm::ArrayRef<int64_t> shape);

} // namespace autotp
