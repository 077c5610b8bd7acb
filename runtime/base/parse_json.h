/// \file Reads JSON that anybody may have written.
#pragma once

#include "llvm/Support/JSON.h"

namespace autotp {

/// llvm::json::parse, but for text that is nested so deeply that the parser, which calls itself, would end the process,
/// for an object with a key twice, of which the parser would keep one without a word, and for 1e999, which it would make infinite. Errors are sentences without a
/// place, such as "it is no JSON: [1:2, byte=2]: Invalid JSON value".
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text);

} // namespace autotp
