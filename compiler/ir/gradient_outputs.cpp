#include "compiler/ir/gradient_outputs.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

namespace autotp {

std::string gradientName(llvm::StringRef parameter) { return ("gradient:" + parameter).str(); }

std::vector<std::pair<ValueId, ValueId>> gradientOutputs(const Graph &graph) {
  llvm::StringMap<ValueId> byName;
  for (const Output &output : graph.outputs)
    byName[output.name] = output.value;
  std::vector<std::pair<ValueId, ValueId>> pairs;
  for (const ParameterInfo &parameter : graph.parameters) {
    auto at = byName.find(gradientName(graph.value(parameter.value).name));
    if (at != byName.end()) pairs.emplace_back(parameter.value, at->second);
  }
  return pairs;
}

} // namespace autotp
