/// \file Binds the batch of a forward graph to the micro-batch, and makes its loss that of the global batch.
/// Before:  input %ids: i64[4,32], a mask f32[4,1,32,32], reshapes to [128, 64]     --micro-batch 2
/// After:   input %ids: i64[2,32], the mask's first rows,  reshapes to [64, 64]
/// The micro-batch is a cover of the logical axis of the batch, rows 0 to microBatch - 1, so the graph is localised to
/// it like a shard. Inputs without a batch keep their shape (compiler/sharding/batch_axis.h). If a step has several
/// micro-batches, global_loss.h changes the loss.
/// Errors: the batch is no axis of its own (exported with batch 1, or mixed with others), is needed whole by an
/// operator, or is smaller than the micro-batch; a constant differs between samples; and the errors of global_loss.h.
#pragma once

#include "passes/partition/global_loss.h"

#include "llvm/ADT/StringSet.h"

namespace autotp {

class Graph;

/// `microBatch`: in samples; 0 keeps the size that the inputs have. `microBatches`: the number of micro-batches in a
/// step, over dp and gradient accumulation. `withoutBatch`: the inputs that have no batch (ImportedModel).
llvm::Expected<LossTerms> bindBatch(Graph &graph, int64_t microBatch, int64_t microBatches,
                                    const llvm::StringSet<> &withoutBatch);

} // namespace autotp
