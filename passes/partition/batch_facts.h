/// \file How each value of a forward graph stands to the batch: the facts that bind_batch and global_loss decide by.
#pragma once

#include "compiler/sharding/graph_axes.h"

#include <optional>

namespace autotp {

enum class BatchPart : uint8_t {
  None,    ///< the same whatever is fed
  Samples, ///< has the batch's axis
  Sum,     ///< a sum over the batch, or computed of such sums
  Mixed,   ///< of several samples in another way, such as their maximum
};

struct BatchFacts {
  std::vector<BatchPart> parts;   ///< by ValueId
  std::vector<bool> ofParameters; ///< by ValueId: depends on a parameter
  std::vector<bool> isSummedHere; ///< by ValueId: its producer sums over the batch
  std::vector<bool> mixesSamples; ///< by NodeId: samples meet in it otherwise than in a sum
  /// By ValueId: how it grows with the batch where all samples are alike; a sum over it as the batch does (1), a mean not
  /// (0). None where that cannot be told.
  std::vector<std::optional<int>> growth;
  /// A constant by which a sum over n elements, the batch among them, is divided (or its inverse, multiplied): n.
  struct Count {
    NodeId node;
    unsigned operand;
    bool isInverse;
  };
  std::vector<Count> counts;
};

/// `batch`: the leaves of the batch's axis in `axes`. Empty: the graph was exported with a batch of 1, which has no axis;
/// what reduces the outermost dimension sums over it then.
/// A constant is taken for a count where it is the product of sizes that were summed over, the batch's among them: that
/// is how exporters write means.
BatchFacts batchFacts(const Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch);

} // namespace autotp
