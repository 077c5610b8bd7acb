/// \file The values of an option, out of the command line's text or out of JSON, in range or not.
#pragma once

#include "runtime/options/option_row.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace autotp {

/// A value, or what is wrong with it as the end of a sentence: "is not from 1 to 4096".
struct ReadValue {
  OptionValue value;
  std::string fault; ///< empty: it is good
};

/// What follows a flag. Of an option of several parts it is one of them.
ReadValue valueOfText(const OptionRow &row, llvm::StringRef text);

/// Out of JSON: a value of the row's member, or of `kind` where that holds it in the member's place.
ReadValue valueOfJson(const OptionRow &row, const llvm::json::Value &json);
ReadValue valueOfJson(const OptionRow &row, OptionKind kind, const llvm::json::Value &json);

/// A flag that was given, and what follows it; of a switch "true" or "false". One for each time it was given.
struct GivenFlag {
  const OptionRow *option;
  std::string text;

  /// A text of no letters is as good as no flag, unless the option's values have a form.
  bool saysNothing() const;
};

/// The flag's value. Errors: the option cannot have it.
llvm::Expected<OptionValue> valueOf(const GivenFlag &given);

/// Sets what the flags say. Errors, all at once: values that options cannot have.
llvm::Error setFlags(llvm::ArrayRef<GivenFlag> flags, ProgramOptions &options);

/// A number as short as it reads back: "0.1", "1e-8".
std::string numberText(double number);

} // namespace autotp
