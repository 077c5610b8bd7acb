#include "runtime/options/option_row.h"

namespace autotp {

std::string flagText(const OptionRow &row) {
  if (row.isPositional()) return row.placeholder.str();
  return (row.flag.size() == 1 ? "-" : "--") + row.flag.str();
}

std::vector<std::string> wordNames(const OptionRow &row) {
  std::vector<std::string> names;
  for (const OptionWord &word : row.words)
    if (!word.help.empty()) names.push_back(word.name.str());
  return names;
}

std::vector<std::string> faultsOf(const OptionRow &row) {
  std::vector<std::string> faults;
  auto require = [&](bool holds, const char *fault) {
    if (!holds) faults.push_back(fault);
  };
  require(row.member.get && row.member.set, "it has no member");
  require(!row.help.empty(), "it has no help");
  if (!faults.empty()) return faults;
  const OptionKind kind = row.kind();
  const bool isNumber = kind == OptionKind::Integer || kind == OptionKind::Real || kind == OptionKind::Sizes;
  require(isNumber || row.range.least < -1e300, "it has a range, and is no number");
  require(row.range.least <= row.range.most, "its range is empty");
  require((kind == OptionKind::Word) == !row.words.empty() || kind == OptionKind::Text,
          "it has words that it does not take, or lacks some");
  require(kind == OptionKind::Switch || !row.words.empty() || row.flag.empty() || !row.placeholder.empty(),
          "its value has no placeholder");
  return faults;
}

} // namespace autotp
