/// \file What a plan's manifest holds of an option.
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <optional>

namespace autotp {

struct CompileOptions;
struct CompileRow;
struct Manifest;

/// What the manifest's "source" holds of the option; nullopt: no key.
std::optional<llvm::json::Value> recordedValue(const CompileRow &row, const CompileOptions &options);

/// Sets the option to what `recordedValue` has written. Errors: another type, or out of range.
llvm::Error restoreValue(const CompileRow &row, const llvm::json::Value &json, CompileOptions &options);

/// Writes the option into the manifest's own field, and reads it from there. Without a field nothing is done.
void writeField(const CompileRow &row, const CompileOptions &options, Manifest &manifest);
llvm::Error readField(const CompileRow &row, const Manifest &manifest, CompileOptions &options);

} // namespace autotp
