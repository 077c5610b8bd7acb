/// \file From what the command line says to CompileOptions, in three steps: flags alone, the files that they name, and
/// the optimizer that both agree on.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

struct CompileOptions;
struct GivenFlag;

/// The names of passes that flags may take.
struct KnownPasses {
  std::vector<std::string> every, optional;
};

/// Sets what the flags say, which is listed in `options.said`; `flags` are in the order of the rows. A text of no letters
/// says nothing. Errors, all at once: values that are out of range or none of an option's, flags that contradict each
/// other, a missing one.
llvm::Error readFlags(llvm::ArrayRef<GivenFlag> flags, const KnownPasses &passes, CompileOptions &options);

/// Sets what words as "tp=2 shard=all sequence-parallel" say, which name the flags of rows. Errors, all at once: a name that
/// is none, and values that are none of an option's.
llvm::Error readWords(llvm::StringRef words, CompileOptions &options);

/// Reads DeepSpeed's configuration, which flags overrule, the list of parameters, and the patterns, and opens the files of
/// weights. Errors: see deepspeed/config.h, option_files.h and StoredWeights.
llvm::Error readOptionFiles(CompileOptions &options);

/// Errors, all at once: flags that the optimizer does not have, another one that the configuration names, numbers that
/// make no sense together.
llvm::Error checkOptimizer(const CompileOptions &options);

} // namespace autotp
