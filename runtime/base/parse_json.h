/// \file Reads JSON that anybody may have written.
#pragma once

#include "llvm/Support/JSON.h"

namespace autotp {

/// llvm::json::parse, but for text that is nested so deeply that the parser, which calls itself, would end the process.
/// Errors are LLVM's, without a place.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text);

} // namespace autotp
