/// \file Gives a forward graph its micro-batch, and its loss the global batch.
/// Before:  input %ids: i64[4,32], a mask f32[4,1,32,32], reshapes to [128, 64]     --micro-batch 2
/// After:   input %ids: i64[2,32], the mask's first rows,  reshapes to [64, 64]
/// The micro-batch is a cover of the batch's logical axis: rows 0..b of it, local shapes, nothing else. Inputs without a
/// batch stay as they are (compiler/sharding/batch_axis.h). What the loss becomes where a step has several
/// micro-batches: global_loss.h.
/// Errors: a batch that is no axis of its own (exported with batch 1, or mixed with others), that an operator needs
/// whole, or that is smaller than the micro-batch; a constant that differs between samples; and those of global_loss.h.
#pragma once

#include "passes/partition/global_loss.h"

#include "llvm/ADT/StringSet.h"

namespace autotp {

/// `microBatch`: 0 leaves the size that the inputs have. `microBatches`: of a step, over dp and gradient accumulation.
/// `withoutBatch`: see ImportedModel.
llvm::Expected<LossTerms> bindBatch(Graph &graph, int64_t microBatch, int64_t microBatches,
                                    const llvm::StringSet<> &withoutBatch);

} // namespace autotp
