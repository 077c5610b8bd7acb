#include "passes/import/retie_weights.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include <cstring>

namespace autotp {
namespace {

bool isUsedBy(const Graph &graph, ValueId value, llvm::StringRef op) {
  return llvm::any_of(graph.value(value).uses, [&](Use use) { return graph.node(use.node).is(op); });
}

Tensor transposed(const Tensor &tensor) {
  int64_t rows = tensor.type.shape[0], columns = tensor.type.shape[1];
  size_t size = sizeOf(tensor.type.dtype);
  std::vector<uint8_t> bytes(tensor.bytes.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      std::memcpy(bytes.data() + (c * rows + r) * size, tensor.bytes.data() + (r * columns + c) * size, size);
  return ownedTensor(Type{tensor.type.dtype, {columns, rows}}, std::move(bytes));
}

bool isConstantValued(const Tensor &tensor) {
  size_t size = sizeOf(tensor.type.dtype);
  for (size_t at = size; at < tensor.bytes.size(); at += size)
    if (std::memcmp(tensor.bytes.data(), tensor.bytes.data() + at, size)) return false;
  return true;
}

} // namespace

std::vector<std::string> retieWeights(Graph &graph) {
  std::vector<std::string> joined;
  llvm::SmallVector<ValueId, 2> gone; // erased at the end: parameters must not move while they are walked
  auto contents = [&](const ParameterInfo &p) {
    return graph.type(p.value).shape.size() == 2 ? graph.value(p.value).contents : std::nullopt;
  };
  for (ParameterInfo &table : graph.parameters) {
    auto own = contents(table);
    if (!own || !isUsedBy(graph, table.value, "gather") || isConstantValued(*own)) continue;
    Tensor turned = transposed(*own);
    for (size_t i = 0; i < graph.parameters.size(); ++i) {
      ParameterInfo &copy = graph.parameters[i];
      auto other = contents(copy);
      if (copy.value == table.value || llvm::is_contained(gone, copy.value) || !other ||
          !isUsedBy(graph, copy.value, "matmul") || isUsedBy(graph, copy.value, "gather"))
        continue;
      bool isSame = other->type == own->type && other->bytes == own->bytes,
           isTurned = other->type == turned.type && other->bytes == turned.bytes;
      if (!isSame && !isTurned) continue;
      Builder builder(graph, graph.first());
      builder.origin = "tied to " + graph.value(table.value).name;
      graph.replaceAllUses(copy.value, isTurned && !isSame ? builder.transpose(table.value, {1, 0}) : table.value);
      table.aliases.push_back({graph.value(copy.value).name, isTurned && !isSame});
      joined.push_back(graph.value(copy.value).name + " = " + graph.value(table.value).name +
                       (isSame ? "" : " (transposed)"));
      graph.setKind(copy.value, ValueKind::Constant);
      gone.push_back(copy.value);
    }
  }
  llvm::erase_if(graph.parameters, [&](const ParameterInfo &p) { return llvm::is_contained(gone, p.value); });
  return joined;
}

std::vector<std::string> equalWeights(const Graph &graph) {
  std::vector<std::string> found;
  auto contents = [&](const ParameterInfo &p) {
    return graph.type(p.value).shape.size() == 2 ? graph.value(p.value).contents : std::nullopt;
  };
  for (const auto &[i, one] : indexed(graph.parameters)) {
    auto own = contents(one);
    if (!own) continue;
    for (const ParameterInfo &other : llvm::ArrayRef<ParameterInfo>(graph.parameters).drop_front(i + 1)) {
      auto bytes = contents(other);
      if (bytes && bytes->type == own->type && bytes->bytes == own->bytes && !isConstantValued(*own))
        found.push_back(graph.value(other.value).name + " = " + graph.value(one.value).name);
    }
  }
  return found;
}

} // namespace autotp
