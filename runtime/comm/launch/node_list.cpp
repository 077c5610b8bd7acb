#include "runtime/comm/launch/node_list.h"

#include "runtime/base/error.h"

namespace autotp {
namespace {

constexpr size_t kMostNames = 65536, kLongestName = 1024, kMostDigits = 18;

class Parser {
public:
  explicit Parser(llvm::StringRef text) : text_(text), rest_(text) {}

  llvm::Expected<std::vector<std::string>> run() {
    std::vector<std::string> all;
    do {
      auto names = readItem();
      if (!names) return names.takeError();
      if (all.size() + names->size() > kMostNames) return wrong("it has more than 65536 names");
      all.insert(all.end(), names->begin(), names->end());
    } while (rest_.consume_front(","));
    return all;
  }

private:
  llvm::Error wrong(llvm::StringRef what) const {
    return problem("list of nodes '" + escaped(text_) + "'",
                   llvm::formatv("{0}, at its character {1}", what, text_.size() - rest_.size() + 1).str(),
                   "see SLURM_STEP_NODELIST, or set MASTER_ADDR to the host of rank 0");
  }

  /// Reads a name, with or without brackets, up to the next comma outside of brackets.
  llvm::Expected<std::vector<std::string>> readItem() {
    std::vector<std::string> names = {""};
    while (!rest_.empty() && rest_.front() != ',') {
      if (rest_.front() == ']') return wrong("a bracket closes that was not opened");
      std::vector<std::string> ends;
      if (rest_.consume_front("[")) {
        auto numbers = readBracket();
        if (!numbers) return numbers.takeError();
        ends = std::move(*numbers);
      } else {
        llvm::StringRef literal = rest_.take_until([](char c) { return c == ',' || c == '[' || c == ']'; });
        rest_ = rest_.drop_front(literal.size());
        ends = {literal.str()};
      }
      if (names.size() * ends.size() > kMostNames) return wrong("it has more than 65536 names");
      std::vector<std::string> longer;
      for (const std::string &name : names)
        for (const std::string &end : ends)
          longer.push_back(name + end);
      names = std::move(longer);
      if (names.front().size() > kLongestName) return wrong("a name is longer than 1024 characters");
    }
    if (names.front().empty()) return wrong("a name is empty");
    return names;
  }

  /// Reads the inside of a bracket, such as "01-03,07]".
  llvm::Expected<std::vector<std::string>> readBracket() {
    std::vector<std::string> numbers;
    do {
      llvm::StringRef first = readDigits(), last = first;
      if (rest_.consume_front("-")) last = readDigits();
      uint64_t from = 0, to = 0;
      if (first.size() > kMostDigits || last.size() > kMostDigits || first.getAsInteger(10, from) ||
          last.getAsInteger(10, to) || from > to)
        return wrong("a range is none");
      if (to - from >= kMostNames - numbers.size()) return wrong("it has more than 65536 names");
      for (uint64_t number = from; number <= to; ++number) {
        std::string digits = std::to_string(number);
        if (digits.size() < first.size()) digits.insert(0, first.size() - digits.size(), '0');
        numbers.push_back(std::move(digits));
      }
    } while (rest_.consume_front(","));
    if (!rest_.consume_front("]")) return wrong("a bracket does not close");
    return numbers;
  }

  llvm::StringRef readDigits() {
    llvm::StringRef digits = rest_.take_while([](char c) { return c >= '0' && c <= '9'; });
    rest_ = rest_.drop_front(digits.size());
    return digits;
  }

  llvm::StringRef text_, rest_;
};

} // namespace

llvm::Expected<std::vector<std::string>> readNodeList(llvm::StringRef text) { return Parser(text).run(); }

} // namespace autotp
