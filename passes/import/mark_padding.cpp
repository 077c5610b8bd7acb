#include "passes/import/mark_padding.h"

#include "compiler/ir/graph.h"

namespace autotp {
namespace {

/// The only row of zeros; -1 if there is none or several.
int64_t rowOfZeros(const Tensor &table) {
  const int64_t rows = table.type.shape.empty() ? 0 : table.type.shape[0];
  const size_t rowBytes = rows > 0 ? table.bytes.size() / size_t(rows) : 0;
  int64_t found = -1;
  for (int64_t row = 0; row < rows; ++row) {
    if (!llvm::all_of(table.bytes.slice(size_t(row) * rowBytes, rowBytes), [](uint8_t byte) { return byte == 0; }))
      continue;
    if (found >= 0) return -1;
    found = row;
  }
  return found;
}

} // namespace

llvm::Error markPadding(Graph &graph, const ExporterFacts &facts, std::vector<std::string> &perhaps) {
  constexpr size_t kPaddingIndex = 2;
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("gather")) continue;
    const Value &table = graph.value(graph.node(id).operands[0]);
    const ProgramCall *call = facts.callOf(id);
    int64_t row = -1;
    if (call && call->target == "aten.embedding" && call->arguments.size() > kPaddingIndex &&
        !llvm::StringRef(call->arguments[kPaddingIndex]).getAsInteger(10, row) && row >= 0)
      graph.node(id).attributes.set("padding_row", row);
    const bool isInitializer = table.kind == ValueKind::Parameter && table.contents && table.type.shape.size() > 1;
    if (facts.exporter != Exporter::Dynamo && isInitializer && (row = rowOfZeros(*table.contents)) >= 0)
      perhaps.push_back("row " + std::to_string(row) + " of " + table.name);
  }
  return llvm::Error::success();
}

} // namespace autotp
