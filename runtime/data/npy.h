/// \file Reads numpy's .npy: a header, which is a dictionary of Python, and an array.
#pragma once

#include "runtime/data/element_type.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace autotp {

struct NpyArray {
  std::string name; ///< in an .npz, without ".npy"
  ElementType type;
  std::vector<int64_t> shape;
  llvm::ArrayRef<std::byte> data; ///< row-major, in the memory of `owner`
  std::shared_ptr<const void> owner;
};

constexpr llvm::StringLiteral kNpyMagic = "\x93NUMPY";

/// `bytes` outlive the array, whose name and owner are left to the caller. Errors: they are no .npy or are truncated; the
/// array is in Fortran order, big-endian, or of elements that are no bools, integers or floats.
llvm::Expected<NpyArray> parseNpy(llvm::StringRef where, llvm::StringRef bytes);

} // namespace autotp
