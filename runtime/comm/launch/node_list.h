/// \file Slurm's lists of host names: "node[01-03,07],gpu5" is node01, node02, node03, node07 and gpu5.
#pragma once

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

/// All names in the list's order; a number keeps the zeros before it, and a name may have several brackets
/// ("rack[0-1]n[1-2]": the last varies first). Errors: brackets that do not close, a range that is none, an empty name,
/// more than 65536 names; each with the place in the text.
llvm::Expected<std::vector<std::string>> readNodeList(llvm::StringRef text);

} // namespace autotp
