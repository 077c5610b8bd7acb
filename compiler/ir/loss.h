/// \file How a graph says what is trained for: its outputs, and the batch statistics that its loss divides by.
#pragma once

#include "compiler/ir/graph.h"

#include <optional>

namespace autotp {

/// loss = div(sum, count) of one cross_entropy: the nodes' values.
struct CrossEntropyMean {
  ValueId sum, count, labels;
};
std::optional<CrossEntropyMean> crossEntropyMean(const Graph &graph, ValueId loss);

/// A batch statistic is a state of this name and a number: a sum over the global batch of what depends on inputs alone
/// (f32). The output of the same name is what one micro-batch adds to it. See passes/partition/global_loss.h.
constexpr llvm::StringLiteral kBatchStatistic = "batch_statistic.";

inline bool isBatchStatistic(llvm::StringRef name) { return name.startswith(kBatchStatistic); }

} // namespace autotp
