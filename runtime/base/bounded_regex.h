/// \file Regular expressions that anybody may have written.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>

namespace autotp {

/// Why a text cannot be used as an llvm::Regex, such as "is no regular expression: parentheses not balanced"; empty: it
/// can. To ask before one is made: groups within groups would end the process, since the compiler of expressions calls
/// itself; a{255} is 255 times what a is, and so the memory for ((a{255}){255}){255} would be without a bound; and \1,
/// which names what a group matched, would be so in time.
std::string faultOfRegex(llvm::StringRef text);

} // namespace autotp
