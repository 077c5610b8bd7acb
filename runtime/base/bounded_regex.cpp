#include "runtime/base/bounded_regex.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"

#include <vector>

namespace autotp {
namespace {

constexpr uint64_t kMostParts = 10000; ///< characters and groups, each as often as it is repeated
constexpr size_t kDeepestGroup = 50;

/// Where the set that begins at `begin` with '[' is over. A ']' that comes first is of the set.
size_t endOfSet(llvm::StringRef text, size_t begin) {
  size_t i = begin + 1;
  if (i < text.size() && text[i] == '^') ++i;
  if (i < text.size() && text[i] == ']') ++i;
  while (i < text.size() && text[i] != ']') {
    const llvm::StringRef rest = text.drop_front(i);
    const bool isClass = rest.startswith("[:") || rest.startswith("[.") || rest.startswith("[=");
    const size_t close = isClass ? text.find(std::string{text[i + 1], ']'}, i + 2) : llvm::StringRef::npos;
    i = close == llvm::StringRef::npos ? i + 1 : close + 2;
  }
  return std::min(i + 1, text.size());
}

/// How often at most "{2}", "{2,}" or "{2,5}", of which `text` begins with the first character after the bracket, repeats
/// what stands before it.
uint64_t repetitions(llvm::StringRef text) {
  uint64_t least = 0, most = 0;
  if (text.consumeInteger(10, least))
    return 1; // a bracket that the compiler of expressions refuses, or takes as itself
  if (text.consume_front(",") && !text.consumeInteger(10, most)) return std::max(least, most);
  return least + 1;
}

/// The parts of an expression, or a fault.
class Measure {
public:
  std::string faultOf(llvm::StringRef text) {
    for (size_t i = 0; i < text.size();) {
      const char c = text[i];
      size_t next = i + 1;
      if (c == '\\') {
        if (next < text.size() && text[next] >= '1' && text[next] <= '9')
          return "refers back to a group, which is not supported";
        next = i + 2;
        add(1);
      } else if (c == '[') {
        next = endOfSet(text, i);
        add(1);
      } else if (c == '(') {
        if (groups_.size() > kDeepestGroup) return "has groups within groups, too deeply";
        groups_.push_back({});
      } else if (c == ')') {
        endGroup();
      } else if (c == '{') {
        repeat(repetitions(text.drop_front(next)));
      } else {
        add(1);
      }
      if (groups_.back().sum > kMostParts) return "is too large, with what it repeats";
      i = next;
    }
    while (groups_.size() > 1)
      endGroup();
    return groups_.back().sum > kMostParts ? "is too large, with what it repeats" : "";
  }

private:
  struct Group {
    uint64_t sum = 0, last = 0; ///< parts of all, and of what stands last, which a bracket repeats
  };

  void add(uint64_t parts) {
    groups_.back().last = parts;
    groups_.back().sum += parts;
  }
  void endGroup() {
    if (groups_.size() == 1) return; // a bracket too many, which the compiler of expressions refuses
    const uint64_t parts = groups_.back().sum + 1;
    groups_.pop_back();
    add(parts);
  }
  void repeat(uint64_t times) {
    Group &group = groups_.back();
    const uint64_t most = std::min<uint64_t>(times, kMostParts), parts = group.last;
    group.sum += parts * (std::max<uint64_t>(most, 1) - 1);
    group.last = parts * std::max<uint64_t>(most, 1);
  }

  std::vector<Group> groups_ = {{}};
};

} // namespace

std::string faultOfRegex(llvm::StringRef text) {
  if (std::string fault = Measure().faultOf(text); !fault.empty()) return fault;
  std::string why;
  return llvm::Regex(text).isValid(why) ? "" : "is no regular expression: " + why;
}

} // namespace autotp
