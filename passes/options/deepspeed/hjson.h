/// \file What DeepSpeed's files have beyond JSON, since hjson reads them: comments and commas before a closing bracket.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>

namespace autotp {

/// The text as JSON: `//` and `#` up to the end of a line, what stands between `/*` and `*/`, and trailing commas are
/// blanks. Strings stay as they are, and so does the line and column of every other character, which a parser's messages
/// name. A comment that does not end is left for the parser to refuse.
std::string withoutComments(llvm::StringRef text);

} // namespace autotp
