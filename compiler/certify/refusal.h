/// \file Refusals, the one manner of error within the certificate: whatever fails returns llvm::Error or llvm::Expected,
/// and walk/ says at which step. What merely does not apply returns nothing: std::optional, null or false.
#pragma once

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error refuse(const llvm::Twine &what);
/// Says the same refusal behind these words: "its group does not make a whole: " and then why.
llvm::Error refuse(const llvm::Twine &words, llvm::Error why);

} // namespace autotp
