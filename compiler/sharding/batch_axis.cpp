#include "compiler/sharding/batch_axis.h"

#include "compiler/ir/graph.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/MapVector.h"

#include <set>

namespace autotp {

Batch findBatch(const Graph &graph, const GraphAxes &axes, const llvm::StringSet<> &withoutBatch) {
  const std::vector<ValueId> inputs = graph.sources(ValueKind::Input);
  auto mayHaveBatch = [&](ValueId input) {
    const Value &value = graph.value(input);
    return !value.uses.empty() && !value.type.shape.empty() && !withoutBatch.contains(value.name);
  };
  auto axisOf = [&](AxisId term) { return term == kNoAxis ? kNoAxis : axes.arena.find(term); };
  auto leadOf = [&](ValueId input) { return axisOf(axes.values[input][0]); };

  std::set<AxisId> inner; // axes of later dimensions, such as the sequence
  for (ValueId input : inputs)
    for (AxisId term : llvm::ArrayRef<AxisId>(axes.values[input]).drop_front(axes.values[input].empty() ? 0 : 1))
      inner.insert(axisOf(term));

  Batch batch;
  llvm::MapVector<AxisId, int> votes;
  bool isSizeKnown = false;
  for (ValueId input : inputs) {
    if (!mayHaveBatch(input)) continue;
    if (const AxisId lead = leadOf(input); lead != kNoAxis && !inner.count(lead)) ++votes[lead];
    if (!isSizeKnown) batch.size = graph.type(input).shape[0];
    isSizeKnown = true;
  }
  int most = 0;
  for (const auto &[axis, count] : votes) {
    if (count <= most) continue;
    most = count;
    batch.axis = axis;
    batch.size = axes.arena.size(axis);
  }
  for (ValueId input : inputs) {
    const bool mayHave = mayHaveBatch(input) && graph.type(input).shape[0] == batch.size;
    const bool isInner = batch.axis != kNoAxis && mayHave && inner.count(leadOf(input));
    batch.isBatched.push_back(mayHave && !isInner);
  }
  return batch;
}

} // namespace autotp
