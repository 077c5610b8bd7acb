#include "passes/import/retie_weights.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include <cstring>

namespace autotp {
namespace {

bool isUsedBy(const Graph &graph, ValueId value, llvm::StringRef op) {
  return llvm::any_of(graph.value(value).uses, [&](Use use) { return graph.node(use.node).is(op); });
}

/// Element by element, so that different ones differ at once and no copy is made.
bool isTransposeOf(const Tensor &a, const Tensor &b) {
  int64_t rows = a.type.shape[0], columns = a.type.shape[1];
  if (b.type.dtype != a.type.dtype || b.type.shape != Shape{columns, rows}) return false;
  size_t size = sizeOf(a.type.dtype);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      if (std::memcmp(b.bytes.data() + size_t(c * rows + r) * size, a.bytes.data() + size_t(r * columns + c) * size,
                      size))
        return false;
  return true;
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
    for (size_t i = 0; i < graph.parameters.size(); ++i) {
      ParameterInfo &copy = graph.parameters[i];
      auto other = contents(copy);
      if (copy.value == table.value || llvm::is_contained(gone, copy.value) || !other ||
          !isUsedBy(graph, copy.value, "matmul") || isUsedBy(graph, copy.value, "gather"))
        continue;
      bool isSame = other->type == own->type && other->bytes == own->bytes,
           isTurned = !isSame && isTransposeOf(*own, *other);
      if (!isSame && !isTurned) continue;
      Builder builder(graph, graph.first());
      builder.origin = "tied to " + graph.value(table.value).name;
      graph.replaceAllUses(copy.value, isTurned ? builder.transpose(table.value, {1, 0}) : table.value);
      table.aliases.push_back({graph.value(copy.value).name, isTurned});
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
