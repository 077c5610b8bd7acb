/// \file Reads numpy's .npz: a zip of .npy arrays, of any size.
#pragma once

#include "runtime/data/npy.h"

namespace autotp {

/// Arrays that are stored, as numpy.savez writes them, stay in the mapped file; those that are packed are unpacked into
/// memory. Errors: the file is no zip, is truncated, or holds two arrays of one name or what parseNpy() refuses.
llvm::Expected<std::vector<NpyArray>> readNpz(llvm::StringRef path);

} // namespace autotp
