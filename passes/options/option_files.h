/// \file Reads the files that options name into the options that the files say.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace autotp {

struct ParameterOverrides;
struct PartitionRules;

/// --parameters: a safetensors file, the index of a sharded one, or a list of names. Errors: a file that cannot be read,
/// or lists nothing.
llvm::Error readParameterList(llvm::StringRef path, ParameterOverrides &parameters);

/// --patterns: the partition_config of a file, see passes/shard/partition_rules.h.
llvm::Error readPatterns(llvm::StringRef path, PartitionRules &rules);

/// A file that must be JSON.
llvm::Expected<llvm::json::Value> readJson(llvm::StringRef path);

} // namespace autotp
