#include "passes/options/deepspeed/hjson.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

namespace autotp {
namespace {

/// Where the string that begins at `begin` is over.
size_t endOfString(llvm::StringRef text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
  }
  return text.size();
}

/// Where the comment that begins at `begin` is over; `begin` itself: none begins there.
size_t endOfComment(llvm::StringRef text, size_t begin) {
  const llvm::StringRef rest = text.drop_front(begin);
  if (rest.startswith("#") || rest.startswith("//")) return std::min(text.find('\n', begin), text.size());
  if (!rest.startswith("/*")) return begin;
  const size_t end = text.find("*/", begin + 2);
  return end == llvm::StringRef::npos ? begin : end + 2;
}

} // namespace

std::string withoutComments(llvm::StringRef text) {
  std::string json = text.str();
  size_t comma = llvm::StringRef::npos; // after which nothing but blanks and comments has come
  for (size_t i = 0; i < text.size();) {
    if (const size_t end = endOfComment(text, i); end > i) {
      for (; i < end; ++i)
        if (text[i] != '\n' && text[i] != '\r') json[i] = ' ';
      continue;
    }
    if (comma != llvm::StringRef::npos && (text[i] == '}' || text[i] == ']')) json[comma] = ' ';
    if (text[i] == ',')
      comma = i;
    else if (!llvm::isSpace(text[i]))
      comma = llvm::StringRef::npos;
    i = text[i] == '"' ? endOfString(text, i) : i + 1;
  }
  return json;
}

std::string repeatedKey(llvm::StringRef json) {
  std::vector<llvm::StringSet<>> open; // the keys of each object and array that is not over
  bool mayBeKey = false;               // a string that stands here, if a colon follows it
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '{' || c == '[')
      open.emplace_back();
    else if ((c == '}' || c == ']') && !open.empty())
      open.pop_back();
    if (c == '{' || c == ',') mayBeKey = true;
    if (c != '"') continue;
    const size_t end = endOfString(json, i);
    const llvm::StringRef key = json.slice(i + 1, end - 1);
    const bool isKey = mayBeKey && !open.empty() && json.drop_front(end).ltrim().startswith(":");
    if (isKey && !open.back().insert(key).second) return key.str();
    mayBeKey = false;
    i = end - 1;
  }
  return "";
}

} // namespace autotp
