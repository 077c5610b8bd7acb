#include "passes/options/deepspeed/hjson.h"

#include "llvm/ADT/StringExtras.h"

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

} // namespace autotp
