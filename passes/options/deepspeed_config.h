/// \file DeepSpeed's JSON configuration, as a mapping from its keys onto the rows of options.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

struct CompileOptions;

/// Sets what `path` says and leaves everything else; what it sets is listed in `options.said`. A row names its key
/// (OptionRow::deepSpeed). Beside these: train_batch_size, which makes micro-batch or grad-accum follow from the others,
/// and keys that say how things are here anyway. Hugging Face's "auto" says nothing. The optimizer's own defaults are
/// DeepSpeed's.
/// Errors, all at once: keys that are not honoured, by their names; values that no option can have; sizes that
/// contradict each other.
llvm::Error readDeepSpeedConfig(llvm::StringRef path, CompileOptions &options);

} // namespace autotp
