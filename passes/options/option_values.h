/// \file The values of an option: out of the command line's text, in range or not, and in a manifest.
#pragma once

#include "passes/compile_options.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace autotp {

struct Manifest;
struct OptionRow;

/// A value, or what is wrong with it as the end of a sentence: "is not from 1 to 4096".
struct ReadValue {
  OptionValue value;
  std::string fault; ///< empty: it is good
};

/// What follows a flag. Of an option of several parts it is one of them.
ReadValue valueOfText(const OptionRow &row, llvm::StringRef text);

/// Out of JSON, as DeepSpeed's configuration writes it, or as `recordedValue` does.
ReadValue valueOfJson(const OptionRow &row, const llvm::json::Value &json);

/// What a manifest's "source" holds of the option; nullopt: no key.
std::optional<llvm::json::Value> recordedValue(const OptionRow &row, const CompileOptions &options);

/// Sets the option to what `recordedValue` has written. Errors: another type, or out of range.
llvm::Error restoreValue(const OptionRow &row, const llvm::json::Value &json, CompileOptions &options);

/// Writes the option into the manifest's own field, and reads it from there. Without a field nothing is done.
void writeField(const OptionRow &row, const CompileOptions &options, Manifest &manifest);
llvm::Error readField(const OptionRow &row, const Manifest &manifest, CompileOptions &options);

/// A number as short as it reads back: "0.1", "1e-8".
std::string numberText(double number);
/// The names of the words that the flag takes.
std::vector<std::string> wordNames(const OptionRow &row);

} // namespace autotp
