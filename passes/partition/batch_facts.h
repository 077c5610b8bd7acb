/// \file How each value of a forward graph depends on the batch: the facts by which bind_batch and global_loss decide.
#pragma once

#include "compiler/sharding/graph_axes.h"

#include <optional>

namespace autotp {

class Graph;

enum class BatchPart : uint8_t {
  None,    ///< does not depend on what is fed with the batch
  Samples, ///< has the axis of the batch
  Sum,     ///< a sum over the batch, or computed from such sums
  Mixed,   ///< depends on several samples in another way, such as their maximum
};

struct BatchFacts {
  std::vector<BatchPart> parts;   ///< by ValueId
  std::vector<bool> ofParameters; ///< by ValueId: whether it depends on a parameter, or on chance
  std::vector<bool> isSummedHere; ///< by ValueId: whether its producer sums over the batch
  std::vector<bool> mixesSamples; ///< by NodeId: whether samples meet in it in another way than in a sum
  /// By ValueId: the power of the batch size by which the value grows if all samples are alike: 1 for a sum over the
  /// batch, 0 for a mean. Empty if that is unknown.
  std::vector<std::optional<int>> growth;
  /// A node that divides a sum over n elements by the constant n, or multiplies it by the constant 1/n (`isInverse`),
  /// where n counts elements of the whole batch. `operand` is the constant.
  struct Count {
    NodeId node;
    unsigned operand;
    bool isInverse;
  };
  std::vector<Count> counts;
};

/// `batch` holds the leaves of the batch axis in `axes`. It is empty if the graph was exported with a batch of 1, which
/// has no axis; then a reduction of the outermost dimension counts as a sum over the batch.
/// A constant counts elements if it is the product of sizes that were summed over, with that of the batch among them,
/// since exporters write means in this way.
BatchFacts batchFacts(const Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch);

} // namespace autotp
