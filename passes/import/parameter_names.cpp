#include "passes/import/parameter_names.h"

#include "compiler/ir/graph.h"
#include "runtime/base/error.h"

#include <map>

namespace autotp {

std::string NamePrefix::inFile(llvm::StringRef name) const {
  if (isOfFile) return text + name.str();
  return name.consume_front(text) ? name.str() : "";
}

std::optional<NamePrefix> prefixBetween(llvm::StringRef listed, llvm::StringRef name) {
  const bool isOfFile = listed.size() > name.size();
  llvm::StringRef front = isOfFile ? listed : name;
  if (listed.empty() || name.empty() || !front.consume_back(isOfFile ? name : listed)) return std::nullopt;
  if (!front.empty() && !front.endswith(".")) return std::nullopt;
  return NamePrefix{front.str(), isOfFile};
}

NamePrefix commonPrefix(llvm::ArrayRef<llvm::StringRef> listed, llvm::ArrayRef<std::string> names) {
  std::multimap<llvm::StringRef, llvm::StringRef> byEnd; // the user's names by each of their ends
  auto forEachEnd = [](llvm::StringRef name, auto visit) {
    for (visit(name); name.contains('.');)
      visit(name = name.split('.').second);
  };
  for (llvm::StringRef name : listed)
    forEachEnd(name, [&](llvm::StringRef end) { byEnd.emplace(end, name); });
  std::map<NamePrefix, int64_t> counts = {{NamePrefix{}, 0}};
  for (const std::string &name : names) {
    auto [longer, last] = byEnd.equal_range(name);
    for (; longer != last; ++longer)
      ++counts[*prefixBetween(longer->second, name)];
    forEachEnd(name, [&](llvm::StringRef end) {
      if (end != name && std::binary_search(listed.begin(), listed.end(), end)) ++counts[*prefixBetween(end, name)];
    });
  }
  auto isBetter = [](const auto &a, const auto &b) {
    return std::pair(a.second, -int64_t(a.first.text.size())) < std::pair(b.second, -int64_t(b.first.text.size()));
  };
  return std::max_element(counts.begin(), counts.end(), isBetter)->first;
}

bool isNameOf(llvm::StringRef listed, llvm::StringRef initializer, const llvm::StringMap<std::string> &moduleNames) {
  return prefixBetween(listed, initializer) || prefixBetween(listed, moduleNames.lookup(initializer));
}

/// The parameter that a listed name means; empty if there is none.
static std::string parameterCalled(const Graph &graph, llvm::StringRef listed,
                                   const llvm::StringMap<std::string> &moduleNames) {
  for (const ParameterInfo &parameter : graph.parameters)
    if (const std::string &name = graph.value(parameter.value).name; isNameOf(listed, name, moduleNames)) return name;
  return "";
}

std::vector<std::string> namesOfNone(const Graph &graph, llvm::ArrayRef<std::string> listed,
                                     const llvm::StringMap<std::string> &moduleNames) {
  std::vector<std::string> none;
  llvm::copy_if(listed, std::back_inserter(none),
                [&](const std::string &name) { return parameterCalled(graph, name, moduleNames).empty(); });
  return none;
}

llvm::Expected<std::vector<Tie>> tiesOfList(const Graph &graph, llvm::ArrayRef<Tie> listed,
                                            const llvm::StringMap<std::string> &moduleNames) {
  std::vector<Tie> ties;
  llvm::Error errors = llvm::Error::success();
  for (const Tie &tie : listed) {
    ties.push_back({parameterCalled(graph, tie.copy, moduleNames), parameterCalled(graph, tie.of, moduleNames)});
    for (auto [name, found] : {std::pair(tie.copy, ties.back().copy), {tie.of, ties.back().of}})
      if (found.empty())
        errors = llvm::joinErrors(std::move(errors),
                                  problem("--parameters", "no parameter of the graph is called '" + escaped(name) + "'",
                                          "--explain parameters lists their names"));
  }
  if (errors) return errors;
  return ties;
}

} // namespace autotp
