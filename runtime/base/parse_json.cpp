#include "runtime/base/parse_json.h"

#include "runtime/base/error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

#include <cmath>

namespace autotp {
namespace {

constexpr size_t kDeepest = 200;

/// Where the string that begins at `begin` is over.
size_t endOfString(llvm::StringRef text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
  }
  return text.size();
}

/// A key as it is meant: "a" may be spelled "\u0061".
std::string meantBy(llvm::StringRef quoted) {
  if (!quoted.contains('\\')) return quoted.drop_front().drop_back().str();
  llvm::Expected<llvm::json::Value> key = llvm::json::parse(quoted);
  if (key) return key->getAsString().getValueOr("").str();
  llvm::consumeError(key.takeError()); // the parser says it
  return quoted.str();
}

/// What is wrong with a text that the parser does not mind, or would not survive; empty: nothing is.
std::string faultOf(llvm::StringRef json) {
  std::vector<llvm::StringSet<>> open; // the keys of each object and array that is not over
  bool mayBeKey = false;               // a string that stands here, if a colon follows it
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '{' || c == '[')
      open.emplace_back();
    else if ((c == '}' || c == ']') && !open.empty())
      open.pop_back();
    if (open.size() > kDeepest) return "it is nested too deeply";
    if (c == '{' || c == ',') mayBeKey = true;
    if (c != '"') continue;
    const size_t end = endOfString(json, i);
    const bool isKey = mayBeKey && !open.empty() && json.drop_front(end).ltrim().startswith(":");
    if (isKey)
      if (const std::string key = meantBy(json.slice(i, end)); !open.back().insert(key).second)
        return "it has '" + escaped(key) + "' twice in one object";
    mayBeKey = false;
    i = end - 1;
  }
  return "";
}

/// Whether a number of it is infinite, as the parser makes 1e999. It is nested no deeper than kDeepest.
bool hasInfinite(const llvm::json::Value &value) {
  if (const llvm::json::Array *array = value.getAsArray()) return llvm::any_of(*array, hasInfinite);
  if (const llvm::json::Object *object = value.getAsObject())
    return llvm::any_of(*object, [](const auto &entry) { return hasInfinite(entry.second); });
  const llvm::Optional<double> number = value.getAsNumber();
  return number && std::isinf(*number);
}

} // namespace

llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text) {
  if (const std::string fault = faultOf(text); !fault.empty())
    return llvm::createStringError(llvm::inconvertibleErrorCode(), fault);
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (value && hasInfinite(*value))
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "it has a number that is too large");
  if (value) return value;
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "it is no JSON: " + llvm::toString(value.takeError()));
}

} // namespace autotp
