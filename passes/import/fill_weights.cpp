#include "passes/import/fill_weights.h"

#include "compiler/ir/graph.h"
#include "compiler/sharding/reshard.h"
#include "passes/import/read_weights.h"
#include "runtime/base/error.h"

#include "llvm/Support/Regex.h"

namespace autotp {
namespace {

/// Buffers that a model keeps beside its weights, and that a graph has as constants or computes.
bool isNoWeight(const StoredWeights::Tensor &tensor) {
  const llvm::StringRef leaf = llvm::StringRef(tensor.name).rsplit('.').second;
  const bool isCausalMask = leaf == "masked_bias" || (leaf == "bias" && tensor.shape.size() == 4 &&
                                                      tensor.shape[0] == 1 && tensor.shape[1] == 1);
  return !StoredWeights::isReadable(tensor.dtype) || leaf == "inv_freq" || isCausalMask;
}

/// Whether one table is both looked up and the weight of a product.
bool isTied(const Graph &graph, const ParameterInfo &parameter) {
  auto isUsedBy = [&](llvm::StringRef op) {
    return llvm::any_of(graph.value(parameter.value).uses, [&](Use use) { return graph.node(use.node).is(op); });
  };
  return !parameter.aliases.empty() || (isUsedBy("gather") && (isUsedBy("matmul") || isUsedBy("transpose")));
}

/// The same tensor under another name of the parameter.
WeightMatch under(const StoredWeights::Tensor &name, const WeightMatch &match) {
  WeightMatch other = match;
  other.tensor = &name;
  return other;
}

bool hasShapeOf(const StoredWeights::Tensor &tensor, const WeightMatch &match) {
  return StoredWeights::isReadable(tensor.dtype) && tensor.shape == match.tensor->shape;
}

} // namespace

WeightFilling::WeightFilling(const Graph &graph, llvm::ArrayRef<ValueId> initializers, const StoredWeights &stored,
                             const Said &said, std::map<std::string, WeightOrigin> origins)
    : stored_(stored), ignored_(said.ignored.str()), origins_(std::move(origins)),
      matched_(matchWeights(graph, initializers, origins_, stored, said.layout)), faults_(stored) {}

bool WeightFilling::isIgnored(const StoredWeights::Tensor &tensor) const {
  return !ignored_.empty() && llvm::Regex(ignored_).match(tensor.name);
}

llvm::Error WeightFilling::fillFrozen(Graph &graph, llvm::ArrayRef<ValueId> initializers,
                                      const std::set<std::string> &frozen) {
  bool isWhole = true;
  for (ValueId id : initializers) {
    Value &value = graph.value(id);
    if (value.kind != ValueKind::Constant || value.uses.empty()) continue;
    const WeightMatch &match = matched_.byInitializer.find(value.name)->second;
    if (!frozen.count(value.name)) {
      if (llvm::Error error = checkKept(value, match)) return error;
      continue;
    }
    if (match.fault != WeightFault::None) {
      faults_.add(match, graph, id, origins_);
      isWhole = false;
      continue;
    }
    llvm::Expected<Tensor> numbers = readPart(stored_, match, wholeCovers(value.type.shape));
    if (!numbers) return numbers.takeError();
    Array array = toArray(*numbers);
    array.type.dtype = value.type.dtype;
    value.contents = toTensor(array);
  }
  if (isWhole) return llvm::Error::success(); // finish() says what else is wrong
  std::map<std::string, WeightMatch> found;
  if (llvm::Error error = findParameters(graph, /*mayShare=*/true, found)) return error;
  return faults_.take();
}

/// A buffer that a file of weights has as well: running statistics, for example, of which those of the graph stay.
llvm::Error WeightFilling::checkKept(const Value &constant, const WeightMatch &match) {
  if (match.fault != WeightFault::None || !constant.contents || isNoWeight(*match.tensor) || isIgnored(*match.tensor))
    return llvm::Error::success();
  llvm::Expected<Tensor> numbers = readPart(stored_, match, wholeCovers(constant.type.shape));
  if (!numbers) return numbers.takeError();
  Array array = toArray(*numbers);
  array.type.dtype = constant.type.dtype;
  if (toTensor(array).bytes != constant.contents->bytes) faults_.add(WeightFault::Kept, escaped(constant.name));
  return llvm::Error::success();
}

llvm::Expected<std::map<std::string, WeightMatch>> WeightFilling::finish(const Graph &graph, bool mayShare) {
  std::map<std::string, WeightMatch> found;
  if (llvm::Error error = findParameters(graph, mayShare, found)) return error;
  if (llvm::Error error = findUnused(graph, found)) return error;
  if (llvm::Error error = faults_.take()) return error;
  return found;
}

llvm::Error WeightFilling::findParameters(const Graph &graph, bool mayShare,
                                          std::map<std::string, WeightMatch> &found) {
  std::map<std::string, std::string> takenBy; // parameters by the tensor's name
  for (const ParameterInfo &parameter : graph.parameters) {
    const std::string &name = graph.value(parameter.value).name;
    llvm::Expected<WeightMatch> match = matchOf(graph, parameter);
    if (!match) return match.takeError();
    if (match->fault != WeightFault::None) {
      faults_.add(*match, graph, parameter.value, origins_);
      continue;
    }
    auto [first, isNew] = takenBy.try_emplace(match->tensor->name, name);
    if (!isNew && !mayShare)
      faults_.add(WeightFault::Twice,
                  escaped(match->tensor->name) + ": " + escaped(first->second) + ", " + escaped(name));
    assumed_ += llvm::StringRef(name).startswith("onnx::") && matched_.layout != WeightLayout::Graph;
    found[name] = std::move(*match);
  }
  return llvm::Error::success();
}

/// The first match of its names, with all others compared.
llvm::Expected<WeightMatch> WeightFilling::matchOf(const Graph &graph, const ParameterInfo &parameter) {
  const Value &value = graph.value(parameter.value);
  std::vector<WeightMatch> all = {matched_.byInitializer.find(value.name)->second};
  for (const ParameterInfo::Alias &alias : parameter.aliases) {
    all.push_back(matched_.byInitializer.find(alias.name)->second);
    all.back().isTransposed ^= alias.transposed;
  }
  llvm::erase_if(all, [](const WeightMatch &match) { return !match.tensor; });
  if (all.empty()) return WeightMatch();
  for (size_t i = 0, end = all.size(); i < end; ++i)
    for (const StoredWeights::Tensor *tensor : all[i].more)
      if (hasShapeOf(*tensor, all[i])) all.push_back(under(*tensor, all[i]));
  for (const WeightMatch &match : all)
    if (match.fault != WeightFault::None) return match;
  for (const WeightMatch &other : llvm::ArrayRef<WeightMatch>(all).drop_front()) {
    if (other.tensor == all[0].tensor && other.isTransposed == all[0].isTransposed) continue;
    llvm::Expected<bool> isEqual = areEqual(stored_, all[0], other, value.type.shape);
    if (!isEqual) return isEqual.takeError();
    if (!*isEqual)
      faults_.add(WeightFault::Differs,
                  escaped(value.name) + ": " + escaped(all[0].tensor->name) + ", " + escaped(other.tensor->name));
  }
  return all[0];
}

llvm::Error WeightFilling::findUnused(const Graph &graph, const std::map<std::string, WeightMatch> &found) {
  std::set<const StoredWeights::Tensor *> used;
  for (const auto &[name, match] : matched_.byInitializer) {
    used.insert(match.tensor);
    used.insert(match.more.begin(), match.more.end());
  }
  for (const StoredWeights::Tensor &tensor : stored_.tensors()) {
    if (used.count(&tensor)) continue;
    llvm::Expected<bool> isCopy = isNoWeight(tensor) || isIgnored(tensor) ? true : isCopyOfTied(graph, found, tensor);
    if (!isCopy) return isCopy.takeError();
    passedOver_ += *isCopy;
    if (!*isCopy) faults_.add(WeightFault::Unused, escaped(tensor.name));
  }
  return llvm::Error::success();
}

/// A module that ties its head to its table may have saved both.
llvm::Expected<bool> WeightFilling::isCopyOfTied(const Graph &graph, const std::map<std::string, WeightMatch> &found,
                                                 const StoredWeights::Tensor &tensor) const {
  for (const ParameterInfo &parameter : graph.parameters) {
    const Value &value = graph.value(parameter.value);
    auto match = found.find(value.name);
    if (match == found.end() || !isTied(graph, parameter) || !hasShapeOf(tensor, match->second)) continue;
    llvm::Expected<bool> isEqual = areEqual(stored_, match->second, under(tensor, match->second), value.type.shape);
    if (!isEqual || *isEqual) return isEqual;
  }
  return false;
}

} // namespace autotp
