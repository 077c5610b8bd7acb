/// \file Digests, by which a file is known to be the one that was written.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>

namespace autotp {

/// SHA-256, as 64 lower-case hexadecimal digits.
std::string sha256Of(llvm::StringRef bytes);

} // namespace autotp
