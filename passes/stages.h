/// \file The passes that read or leave more than a graph, as functions for the list. What each does is described in the
/// header of the function that it calls.
#pragma once

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;
struct PassState;

/// File -> Imported. Takes a batch of two samples if PassState::mayTakeTwo allows it and the loss needs it (compile()).
llvm::Error importStage(PassState &state);
llvm::Error classifyStage(Graph &graph, PassState &state);
/// Reads frozen parameters from the file of weights, if there is one.
llvm::Error fillFrozenStage(Graph &graph, PassState &state);
llvm::Error bindBatchStage(Graph &graph, PassState &state);
llvm::Error retieStage(Graph &graph, PassState &state);
/// Finds the tensors of the file of weights that fill parameters.
llvm::Error matchWeightsStage(Graph &graph, PassState &state);
llvm::Error inputRolesStage(Graph &graph, PassState &state);
llvm::Error differentiateStage(Graph &graph, PassState &state);
llvm::Error chooseAxesStage(PassState &state);
/// Decides where sums are reduced, and the region of sequence parallelism.
llvm::Error placeReductionsStage(PassState &state);
llvm::Error localiseStage(PassState &state, unsigned tpRank);
llvm::Error buildStepsStage(PassState &state, unsigned tpRank);
llvm::Error certifyStage(PassState &state);

} // namespace autotp
