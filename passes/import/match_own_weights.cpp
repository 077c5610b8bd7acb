#include "passes/import/match_own_weights.h"

#include "compiler/ir/graph.h"
#include "compiler/sharding/reshard.h"
#include "passes/import/read_weights.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

llvm::Expected<bool> hasNumbersOf(const StoredWeights &own, const WeightMatch &match, const Tensor &contents) {
  if (!StoredWeights::isReadable(match.tensor->dtype) || contents.type.dtype != DType::F32 ||
      llvm::makeArrayRef(match.tensor->shape) != llvm::makeArrayRef(contents.type.shape))
    return false;
  for (const Covers &piece : piecesOf(wholeCovers(contents.type.shape), kPieceElements)) {
    llvm::Expected<Tensor> stored = readPart(own, match, piece);
    if (!stored) return stored.takeError();
    if (stored->bytes != partOf(contents, piece).bytes) return false;
  }
  return true;
}

llvm::Error listed(const std::string &what, const std::string &names, llvm::StringRef remedy) {
  return names.empty() ? llvm::Error::success() : problem("--weights reference", what + ":" + names, remedy);
}

} // namespace

llvm::Expected<std::map<std::string, WeightMatch>> matchOwn(const Graph &graph, const StoredWeights &own) {
  std::map<std::string, WeightMatch> found;
  std::string without, elsewhere;
  for (const ParameterInfo &parameter : graph.parameters) {
    const Value &value = graph.value(parameter.value);
    const WeightMatch match{own.find(value.name), false, WeightFault::None};
    llvm::Expected<bool> isThere =
        match.tensor && value.contents ? hasNumbersOf(own, match, *value.contents) : llvm::Expected<bool>(false);
    if (!isThere) return isThere.takeError();
    if (*isThere)
      found[value.name] = match;
    else
      (value.contents ? elsewhere : without) += "\n    " + escaped(value.name);
  }
  llvm::Error errors = llvm::joinErrors(
      listed("the model holds no numbers for these parameters", without, "fill them with --weights reference:PATH"),
      listed("the numbers of these parameters do not lie in the model's files as the graph has them", elsewhere,
             "copy them with --weights copy, or name files that have them with --weights reference:PATH"));
  if (errors) return errors;
  return found;
}

} // namespace autotp
