/// \file Reads numpy's .npz: a zip of .npy arrays.
#pragma once

#include "runtime/plan/dtype.h"

#include "llvm/Support/Error.h"

#include <cstddef>
#include <string>
#include <vector>

namespace autotp {

struct NpyArray {
  std::string name; ///< without ".npy"
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<std::byte> data; ///< row-major
};

/// Errors: the file is no zip, is truncated, or holds arrays in Fortran order, big-endian or of other types.
llvm::Expected<std::vector<NpyArray>> readNpz(llvm::StringRef path);

} // namespace autotp
