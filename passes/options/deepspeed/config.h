/// \file DeepSpeed's configuration, a JSON file with hjson's comments, as a mapping from its keys onto the rows of options.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

struct CompileOptions;

/// Sets what `path` says, and what DeepSpeed does where it says nothing, unless a flag says it; what the file itself has
/// set is listed in `options.said`. known_keys.h says what becomes of each key. `options.notes` tells which keys are
/// harmless, what "auto" became, and which defaults of DeepSpeed's decide something.
/// Errors, all at once and each with what to do: keys that are refused or unknown, values that no option can have, and
/// sizes, of the file or of flags, that contradict each other.
llvm::Error readDeepSpeedConfig(llvm::StringRef path, CompileOptions &options);

} // namespace autotp
