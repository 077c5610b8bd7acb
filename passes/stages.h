/// \file The passes that read or leave more than a graph, as rows of the list call them. What each does stands in the
/// header of the function of its name.
#pragma once

#include "passes/pass.h"

namespace autotp {

/// File -> Imported. Where PassState::mayTakeTwo allows it and the loss needs it, the batch is of two samples.
llvm::Error importStage(PassState &state);
llvm::Error classifyStage(Graph &graph, PassState &state);
llvm::Error bindBatchStage(Graph &graph, PassState &state);
llvm::Error retieStage(Graph &graph, PassState &state);
llvm::Error inputRolesStage(Graph &graph, PassState &state);
llvm::Error differentiateStage(Graph &graph, PassState &state);
llvm::Error chooseAxesStage(PassState &state);
/// Where sums are reduced, and the region of sequence parallelism.
llvm::Error placeReductionsStage(PassState &state);
llvm::Error localiseStage(PassState &state, unsigned tpRank);
llvm::Error buildStepsStage(PassState &state, unsigned tpRank);
llvm::Error certifyStage(PassState &state);

} // namespace autotp
