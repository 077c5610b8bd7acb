/// \file A tensor whose elements lie in a file, one after the other in row-major order.
#pragma once

#include "runtime/plan/dtype.h"

#include <string>
#include <vector>

namespace autotp {

struct LocatedTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::string file;    ///< its path
  uint64_t offset = 0; ///< of the first element's first byte
};

} // namespace autotp
