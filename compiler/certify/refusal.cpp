#include "compiler/certify/refusal.h"

#include "runtime/base/error.h"

namespace autotp {

llvm::Error refuse(const llvm::Twine &what) { return problem("", what.str()); }

llvm::Error refuse(const llvm::Twine &words, llvm::Error why) {
  const std::string text = llvm::toString(std::move(why));
  llvm::StringRef what(text);
  what.consume_front("error: ");
  return refuse(words + what);
}

} // namespace autotp
