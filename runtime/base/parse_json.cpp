#include "runtime/base/parse_json.h"

namespace autotp {

/// The most arrays and objects within each other.
static int depthOf(llvm::StringRef text) {
  int depth = 0, deepest = 0;
  bool isInString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (isInString) {
      if (c == '\\') ++i;
      isInString = c != '"';
    } else if (c == '"') {
      isInString = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text) {
  constexpr int kDeepest = 200;
  if (depthOf(text) > kDeepest)
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "it is nested too deeply");
  return llvm::json::parse(text);
}

} // namespace autotp
