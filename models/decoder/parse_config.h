/// \file Reads what a Hugging Face config.json says of a model's computation.
#pragma once

#include "models/decoder/decoder_config.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// `text`: the contents of the file; `where` names it in messages; `family`: the model_type that it is expected to have;
/// empty: any.
/// Absent keys have the values that Hugging Face gives them. Errors: all missing, mistyped or unsupported keys at once,
/// each by its name; sizes that do not divide each other; a key that would change the result and is not understood.
llvm::Expected<DecoderConfig> parseDecoderConfig(llvm::StringRef text, llvm::StringRef where, llvm::StringRef family);

} // namespace autotp
