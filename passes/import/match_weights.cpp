#include "passes/import/match_weights.h"

#include "compiler/ir/graph.h"
#include "runtime/base/error.h"
#include "runtime/plan/shape_text.h"

#include "llvm/ADT/StringExtras.h"

#include <set>

namespace autotp {
namespace {

using Form = WeightOrigin::Form;
using Fault = WeightFault;

struct FaultText {
  Fault fault;
  llvm::StringLiteral what, remedy;
};
constexpr FaultText kFaults[] = {
    {Fault::Missing, "it has no tensor for these parameters",
     "name the weights of the whole model, under its names, which --explain parameters lists"},
    {Fault::Shape, "these have another shape in it", "name the weights of this model, or export that one"},
    {Fault::Type, "these have a type in it that is none of F64, F32, BF16 and F16", "save them as floats"},
    {Fault::Formula, "the graph holds a formula of these parameters, as 1 + w, and not themselves",
     "export the model with optimize=False, or take weights that were saved from a plan of this graph"},
    {Fault::Rows, "the graph holds rows that were looked up in these tables, and not themselves",
     "export the model with dynamic shapes, or take weights that were saved from a plan of this graph"},
    {Fault::Orientation,
     "the exporter does not say how it made these initializers of their parameters, and their shapes do not tell",
     "export the model with dynamo=True, or with optimize=False"},
    {Fault::Layout, "nothing tells whether it holds these as PyTorch has them, or transposed as the graph has",
     "say it: --weights-layout torch, or --weights-layout graph"},
    {Fault::Twice, "one of its tensors has the names of several parameters",
     "say which are one in the list of --parameters FILE, or export the model with dynamo=True"},
    {Fault::Differs, "it has several names of these tied parameters, with different numbers",
     "leave one of the names out, or train them apart with --no-retie"},
    {Fault::Kept, "these are not trained and stay as the graph has them, but it has other numbers",
     "export the model with these weights, or leave them out with --weights-ignore REGEX"},
    {Fault::Unused, "the graph has no parameter for these tensors",
     "name the weights of this model, or leave these out with --weights-ignore REGEX"},
};

/// How a tensor may lie to an initializer, by their shapes alone.
struct Fit {
  bool isSame, isTurned;
  bool isSquare() const { return isSame && isTurned; }
  Fit(llvm::ArrayRef<int64_t> stored, llvm::ArrayRef<int64_t> own)
      : isSame(stored == own),
        isTurned(own.size() == 2 && stored.size() == 2 && stored[0] == own[1] && stored[1] == own[0]) {}
};

bool hasEqualSizes(llvm::ArrayRef<int64_t> shape) {
  return std::set<int64_t>(shape.begin(), shape.end()).size() < shape.size();
}

class Matcher {
public:
  Matcher(const Graph &graph, const std::map<std::string, WeightOrigin> &origins, const StoredWeights &stored)
      : graph_(graph), origins_(origins), stored_(stored) {}

  MatchedWeights run(llvm::ArrayRef<ValueId> initializers, WeightLayout said) {
    findPrefix(initializers);
    matched_.layout = stored_.isCheckpoint() ? WeightLayout::Graph : said;
    if (matched_.layout == WeightLayout::FromNames) matched_.layout = layoutByNames(initializers);
    for (ValueId id : initializers)
      matched_.byInitializer[graph_.value(id).name] = of(id);
    return std::move(matched_);
  }

private:
  const WeightOrigin &originOf(ValueId id) const {
    static const WeightOrigin kItself{Form::Same, {}, false};
    auto at = origins_.find(graph_.value(id).name);
    return at == origins_.end() ? kItself : at->second;
  }

  void findPrefix(llvm::ArrayRef<ValueId> initializers) {
    std::vector<llvm::StringRef> listed;
    for (const StoredWeights::Tensor &tensor : stored_.tensors())
      listed.push_back(tensor.name);
    std::vector<std::string> names;
    for (ValueId id : initializers) {
      const WeightOrigin &origin = originOf(id);
      if (!origin.isRenamed) names.push_back(graph_.value(id).name);
      if (origin.isRenamed && !origin.names.empty()) names.push_back(origin.names[0]);
    }
    matched_.prefix = commonPrefix(listed, names);
  }

  /// A name that the exporter made up is only in files that were saved from this graph.
  WeightLayout layoutByNames(llvm::ArrayRef<ValueId> initializers) const {
    auto isRenamed = [&](ValueId id) { return originOf(id).isRenamed; };
    auto isFound = [&](ValueId id) { return stored_.find(graph_.value(id).name) != nullptr; };
    for (ValueId id : initializers)
      if (isRenamed(id) && isFound(id)) return WeightLayout::Graph;
    return llvm::any_of(initializers, isRenamed) ? WeightLayout::Torch : WeightLayout::FromNames;
  }

  /// What the file may call an initializer, the surest first.
  std::vector<std::string> namesInFile(ValueId id) const {
    const std::string &own = graph_.value(id).name;
    if (matched_.layout == WeightLayout::Graph) return {own};
    const WeightOrigin &origin = originOf(id);
    std::vector<std::string> names;
    if (!origin.isRenamed) names.push_back(matched_.prefix.inFile(own));
    for (const std::string &name : origin.names)
      names.push_back(matched_.prefix.inFile(name));
    // TorchScript knows the modules that were called, which a wrapper's module may not have been.
    if (llvm::StringRef(own).startswith("onnx::")) llvm::append_range(names, origin.names);
    return names;
  }

  WeightMatch of(ValueId id) const {
    WeightMatch match;
    for (const std::string &name : namesInFile(id))
      if (const StoredWeights::Tensor *tensor = stored_.find(name); tensor && !match.tensor)
        match.tensor = tensor;
      else if (tensor && tensor != match.tensor)
        match.more.push_back(tensor);
    if (!match.tensor) return match;
    match.fault = StoredWeights::isReadable(match.tensor->dtype) ? faultOf(id, match) : Fault::Type;
    return match;
  }

  /// Decides how the tensor is turned, or why it cannot be used.
  Fault faultOf(ValueId id, WeightMatch &match) const {
    const Fit fit(match.tensor->shape, graph_.type(id).shape);
    const bool isOfGraph = matched_.layout == WeightLayout::Graph;
    Form form = isOfGraph ? Form::Same : originOf(id).form;
    // A matrix that was taken apart from another one has the parameter's name, but lies as the exporter wrote it.
    if (form == Form::Transposed && matched_.layout == WeightLayout::FromNames) {
      if (fit.isSquare()) return Fault::Layout;
      if (fit.isSame) form = Form::Same;
    }
    switch (form) {
    case Form::Same:
      return fit.isSame ? Fault::None : Fault::Shape;
    case Form::Transposed:
      match.isTransposed = true;
      return fit.isTurned ? Fault::None : Fault::Shape;
    case Form::Rows:
      return Fault::Rows;
    case Form::Formula:
      return Fault::Formula;
    case Form::Unknown:
      break;
    }
    match.isTransposed = fit.isTurned;
    if (!fit.isSame && !fit.isTurned) return Fault::Shape;
    return fit.isSame && hasEqualSizes(match.tensor->shape) ? Fault::Orientation : Fault::None;
  }

  const Graph &graph_;
  const std::map<std::string, WeightOrigin> &origins_;
  const StoredWeights &stored_;
  MatchedWeights matched_;
};

} // namespace

MatchedWeights matchWeights(const Graph &graph, llvm::ArrayRef<ValueId> initializers,
                            const std::map<std::string, WeightOrigin> &origins, const StoredWeights &stored,
                            WeightLayout said) {
  return Matcher(graph, origins, stored).run(initializers, said);
}

void WeightFaults::add(WeightFault fault, std::string what) { found_[fault].push_back(std::move(what)); }

void WeightFaults::add(const WeightMatch &match, const Graph &graph, ValueId initializer,
                       const std::map<std::string, WeightOrigin> &origins) {
  const Value &value = graph.value(initializer);
  std::string what = escaped(value.name);
  auto origin = origins.find(value.name);
  if (origin != origins.end() && !origin->second.names.empty() && origin->second.names[0] != value.name)
    what += " (" + escaped(origin->second.names[0]) + ")";
  what += " " + shapeText(value.type.shape);
  if (match.tensor && match.fault == WeightFault::Shape)
    what += ": " + escaped(match.tensor->name) + " is " + shapeText(match.tensor->shape);
  if (match.tensor && match.fault == WeightFault::Type)
    what += ": " + escaped(match.tensor->name) + " is " + nameOf(match.tensor->dtype).str();
  add(match.fault, std::move(what));
}

llvm::Error WeightFaults::take() {
  llvm::Error errors = llvm::Error::success();
  for (const FaultText &text : kFaults) {
    auto list = found_.find(text.fault);
    if (list == found_.end()) continue;
    std::string what = text.what.str() + ":";
    for (const std::string &line : list->second)
      what += "\n    " + line;
    errors = llvm::joinErrors(std::move(errors), problem(escaped(stored_.path()), what, text.remedy));
  }
  found_.clear();
  return errors;
}

} // namespace autotp
