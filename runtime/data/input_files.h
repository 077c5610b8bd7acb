/// \file Files that are read, found by a name or a pattern.
#pragma once

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

/// The files that a name or a pattern of the shell (`*`, `?`, `[...]`) stands for, by name. What exists under the name
/// itself is meant, and so is a name without a pattern's signs, though nothing may be there. Errors: nothing matches.
llvm::Expected<std::vector<std::string>> filesOf(llvm::StringRef where, const std::string &pattern);

} // namespace autotp
