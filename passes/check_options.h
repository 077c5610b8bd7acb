/// \file Whether the options fit the model.
#pragma once

#include "llvm/Support/Error.h"

namespace autotp {

struct CompileOptions;
class Graph;
struct ImportedModel;
struct LossOptions;

/// What a model's own training graph says, no flag may say in another way.
llvm::Error checkNothingIsSaidTwice(const ImportedModel &model, const CompileOptions &options);

/// Whether what is trained for is the mean of one cross-entropy, as far as can be told before the loss is chosen.
bool isOneMean(const Graph &graph, const LossOptions &loss);

} // namespace autotp
