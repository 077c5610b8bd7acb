#include "passes/import/restore_tables.h"

#include "compiler/ops/op_def.h"
#include "passes/import/named_uses.h"

namespace autotp {
namespace {

/// The distinct rows of a tensor in the order of their first occurrence, and the index of each row among them.
struct Rows {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> ids;
  int64_t count = 0;
};

Rows differentRows(const Tensor &tensor) {
  const size_t rowBytes = size_t(tensor.type.shape.back()) * sizeOf(tensor.type.dtype);
  Rows rows;
  std::map<llvm::StringRef, int64_t> known;
  for (size_t at = 0; rowBytes > 0 && at < tensor.bytes.size(); at += rowBytes) {
    const llvm::ArrayRef<uint8_t> row = tensor.bytes.slice(at, rowBytes);
    auto [id, isNew] = known.try_emplace({reinterpret_cast<const char *>(row.data()), row.size()}, rows.count);
    if (isNew) {
      ++rows.count;
      rows.bytes.insert(rows.bytes.end(), row.begin(), row.end());
    }
    rows.ids.push_back(id->second);
  }
  return rows;
}

} // namespace

llvm::Error restoreTables(Graph &graph, ExporterFacts &facts, std::vector<std::string> &restored) {
  for (ValueId id : graph.sources(ValueKind::Parameter)) {
    const Value lookup = graph.value(id);
    if (operatorOf(lookup.name) != "embedding" || !lookup.contents || lookup.type.shape.size() < 2) continue;
    const FoldedFrom folded = foldedFrom(lookup.name, facts);
    const Rows rows = differentRows(*lookup.contents);
    // The other source may be a buffer of positions.
    auto isTable = [](llvm::StringRef name) { return name.endswith(".weight"); };
    auto source = llvm::find_if(folded.sources, isTable);
    if (source == folded.sources.end() || rows.count == int64_t(rows.ids.size())) continue;
    const Type type{lookup.type.dtype, {rows.count, lookup.type.shape.back()}};
    const ValueId table = graph.addParameter(*source, type, ownedTensor(type, rows.bytes));
    const std::string &name = graph.value(table).name;
    facts.tensors[name] = {{}, "", {*source}};
    restored.push_back(name);
    Tensor ids = integerTensor(rows.ids);
    ids.type.shape.assign(lookup.type.shape.begin(), lookup.type.shape.end() - 1);
    Builder builder(graph, graph.first());
    builder.origin = lookup.name;
    graph.replaceAllUses(id, builder.make("gather", {table, graph.addConstant("rows", std::move(ids))}));
  }
  return llvm::Error::success();
}

} // namespace autotp
