#include "passes/import/parameter_names.h"

#include "compiler/ir/graph.h"
#include "runtime/base/error.h"

namespace autotp {

bool isNameOf(llvm::StringRef listed, llvm::StringRef initializer, const llvm::StringMap<std::string> &moduleNames) {
  auto isEndOf = [](llvm::StringRef end, llvm::StringRef whole) {
    return whole == end || (whole.consume_back(end) && whole.endswith("."));
  };
  const std::string module = moduleNames.lookup(initializer);
  for (llvm::StringRef own : {initializer, llvm::StringRef(module)})
    if (!own.empty() && !listed.empty() && (isEndOf(listed, own) || isEndOf(own, listed))) return true;
  return false;
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
