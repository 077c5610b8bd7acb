/// \file How a graph states the loss that is trained: by its outputs, and by the batch statistics that the loss divides
/// by.
#pragma once

#include "compiler/ir/graph.h"

#include <optional>

namespace autotp {

/// The values of a loss = div(sum, count) of one cross_entropy, or nothing if the loss has another form.
struct CrossEntropyMean {
  ValueId sum, count, labels;
};
/// `loss` must be the division itself, of results 0 and 1 of one cross_entropy.
std::optional<CrossEntropyMean> crossEntropyMean(const Graph &graph, ValueId loss);

/// A batch statistic is a state of this name and a number: an f32 sum over the global batch that depends on inputs
/// alone. The output of the same name is the addend of one micro-batch (passes/partition/global_loss.h).
constexpr llvm::StringLiteral kBatchStatistic = "batch_statistic.";

inline bool isBatchStatistic(llvm::StringRef name) { return name.startswith(kBatchStatistic); }

} // namespace autotp
