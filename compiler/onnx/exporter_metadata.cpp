#include "compiler/onnx/exporter_metadata.h"

#include "llvm/ADT/StringExtras.h"

#include <algorithm>

namespace autotp {
namespace {

constexpr llvm::StringLiteral kCall = "pkg.torch.onnx.fx_node", kScopes = "pkg.torch.onnx.name_scopes",
                              kKind = "pkg.torch.export.graph_signature.InputSpec.kind",
                              kSignature = "pkg.torch.export.ExportedProgram.graph_signature",
                              kPlaceholder = "pkg.torch.onnx.original_node_name",
                              kFoldedFrom = "pkg.onnxscript.optimizer.folded_from";

template <typename Proto> llvm::StringRef metadata(const Proto &proto, llvm::StringRef key) {
  for (const auto &entry : proto.metadata_props())
    if (entry.key() == key) return entry.value();
  return "";
}

/// The strings of a list as Python prints it, such as "['', 'model', 'model.layers.0']".
std::vector<std::string> listOf(llvm::StringRef text) {
  std::vector<std::string> items;
  llvm::SmallVector<llvm::StringRef, 16> parts;
  text.split(parts, '\'');
  for (size_t i = 1; i < parts.size(); i += 2)
    items.push_back(parts[i].str());
  return items;
}

/// Takes the text up to the closing bracket of one that is already open, and removes it with the bracket from `text`.
llvm::StringRef takeEnclosed(llvm::StringRef &text) {
  unsigned depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (llvm::StringRef("([{").contains(text[i])) ++depth;
    if (!llvm::StringRef(")]}").contains(text[i]) || depth-- > 0) continue;
    llvm::StringRef inside = text.take_front(i);
    text = text.drop_front(i + 1);
    return inside;
  }
  return std::exchange(text, "");
}

/// Splits a list at its commas outside of brackets. With `hasKeys`, entries are "key: value".
void addArguments(llvm::StringRef list, bool hasKeys, std::vector<std::string> &arguments) {
  size_t from = 0;
  unsigned depth = 0;
  auto add = [&](size_t to) {
    llvm::StringRef argument = list.slice(from, to).trim();
    if (hasKeys) argument = argument.split(": ").second;
    if (!argument.empty()) arguments.push_back(argument.str());
    from = to + 1;
  };
  for (size_t i = 0; i < list.size(); ++i) {
    if (llvm::StringRef("([{").contains(list[i])) ++depth;
    if (llvm::StringRef(")]}").contains(list[i]) && depth > 0) --depth;
    if (list[i] == ',' && depth == 0) add(i);
  }
  add(list.size());
}

std::optional<TensorKind> kindOf(llvm::StringRef text) {
  if (text == "PARAMETER") return TensorKind::Parameter;
  if (text == "BUFFER") return TensorKind::Buffer;
  if (text == "CONSTANT_TENSOR") return TensorKind::Constant;
  return std::nullopt;
}

} // namespace

std::optional<ProgramCall> parseCall(llvm::StringRef text) {
  ProgramCall call;
  if (!text.consume_front("%")) return std::nullopt;
  call.result = text.split(" :").first.str();
  llvm::StringRef target = text.split("[target=").second;
  std::tie(target, text) = target.split("](args = (");
  if (target.empty() || text.empty()) return std::nullopt;
  target.consume_front("torch.ops.");
  auto [space, rest] = target.split('.');
  call.target = (space + "." + rest.split('.').first).str(); // without its overload
  addArguments(takeEnclosed(text), /*hasKeys=*/false, call.arguments);
  text = text.split("kwargs = {").second;
  addArguments(takeEnclosed(text), /*hasKeys=*/true, call.arguments);
  return call;
}

std::string moduleOf(const onnx::NodeProto &node) {
  if (llvm::StringRef list = metadata(node, kScopes); !list.empty()) {
    std::vector<std::string> scopes = listOf(list); // such as '', 'model', 'model.layers.0', 'linear'
    return scopes.size() < 3 ? "" : scopes[scopes.size() - 2];
  }
  llvm::StringRef path = llvm::StringRef(node.name()).rsplit('/').first;
  if (!path.consume_front("/")) return "";
  llvm::SmallVector<llvm::StringRef, 8> steps, kept;
  path.split(steps, '/');
  for (llvm::StringRef step : steps) { // the path repeats a Sequential before its members: "head/head.0"
    if (!kept.empty() && step.startswith((kept.back() + ".").str())) kept.pop_back();
    kept.push_back(step);
  }
  return llvm::join(kept, ".");
}

std::vector<ProgramSource> parseSignature(llvm::StringRef text) {
  std::vector<ProgramSource> sources;
  llvm::SmallVector<llvm::StringRef, 64> lines;
  text.split(lines, '\n');
  for (llvm::StringRef line : lines) {
    auto [placeholder, said] = line.trim().split(": ");
    auto [kind, target] = said.split(" target='");
    if (std::optional<TensorKind> known = kindOf(kind.trim()); known && target.contains('\''))
      sources.push_back({placeholder.str(), target.split('\'').first.str(), *known});
  }
  return sources;
}

ExporterMetadata::ExporterMetadata(const onnx::ModelProto &model) {
  if (model.producer_name() != "pytorch") return;
  auto hasCall = [](const onnx::NodeProto &node) { return !metadata(node, kCall).empty(); };
  auto hasPath = [](const onnx::NodeProto &node) { return llvm::StringRef(node.name()).startswith("/"); };
  if (llvm::any_of(model.graph().node(), hasCall))
    facts.exporter = Exporter::Dynamo;
  else if (llvm::any_of(model.graph().node(), hasPath))
    facts.exporter = Exporter::TorchScript;
  facts.sources = parseSignature(metadata(model.graph(), kSignature));
  for (const auto &value : model.graph().value_info())
    if (ExportedTensor tensor{kindOf(metadata(value, kKind)), metadata(value, kPlaceholder).str(),
                              listOf(metadata(value, kFoldedFrom))};
        tensor.kind || !tensor.foldedFrom.empty())
      facts.tensors[value.name()] = std::move(tensor);
}

void ExporterMetadata::attribute(const onnx::NodeProto &node, NodeId first, size_t end) {
  if (facts.exporter == Exporter::Unknown) return;
  llvm::StringRef text = metadata(node, kCall);
  auto [at, isNew] = calls_.try_emplace(text, kNone);
  if (isNew)
    if (std::optional<ProgramCall> call = parseCall(text)) {
      call->scopes = listOf(metadata(node, kScopes));
      if (!call->scopes.empty()) call->scopes.pop_back(); // the last scope is the call itself
      at->second = uint32_t(facts.calls.size());
      facts.calls.push_back(std::move(*call));
    }
  facts.nodes.resize(std::max(facts.nodes.size(), end));
  for (size_t id = first; id < end; ++id)
    if (NodeFacts &made = facts.nodes[id]; made.call == kNone && made.module.empty())
      made = {at->second, moduleOf(node)};
}

bool ExporterMetadata::isRewritten(llvm::StringRef initializer) const {
  return !facts.tensors.count(initializer) &&
         llvm::any_of(facts.sources, [&](const ProgramSource &source) { return source.name == initializer; });
}

bool ExporterMetadata::isCopy(const onnx::NodeProto &node) const {
  return facts.exporter == Exporter::TorchScript && node.op_type() == "Identity" && node.input_size() == 1 &&
         node.output_size() == 1 && llvm::StringRef(node.name()).startswith("Identity_");
}

} // namespace autotp
