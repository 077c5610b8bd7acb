/// \file Gives a model that was exported with a static batch another micro-batch.
/// Before:  input %ids: i64[4,32], a mask f32[4,1,32,32], reshapes to [128, 64]     --micro-batch 2
/// After:   input %ids: i64[2,32], the mask's first rows,  reshapes to [64, 64]
/// The micro-batch is a cover of the batch's logical axis: rows 0..b of it, local shapes, nothing else.
/// Errors: a batch that is no axis of its own (exported with batch 1, or mixed with others), that an operator needs
/// whole, or that is smaller than the micro-batch.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Nothing where `microBatch` is 0 or the inputs have it already.
llvm::Error bindBatch(Graph &graph, int64_t microBatch);

} // namespace autotp
