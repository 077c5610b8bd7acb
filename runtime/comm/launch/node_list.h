/// \file Slurm's lists of host names: "node[01-03,07],gpu5" is node01, node02, node03, node07 and gpu5.
#pragma once

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

/// All names in the order of the list. A number keeps its leading zeros, and a name may have several brackets
/// ("rack[0-1]n[1-2]"), of which the last varies first. Errors, each with its place in the text: a bracket that does
/// not close, an invalid range, an empty name, more than 65536 names.
llvm::Expected<std::vector<std::string>> readNodeList(llvm::StringRef text);

} // namespace autotp
