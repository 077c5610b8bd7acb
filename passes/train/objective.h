/// \file What training makes small, and how a graph says it: outputs loss_sum, count, and the gradient of each parameter.
#pragma once

#include "compiler/ir/loss.h"

#include "llvm/Support/Error.h"

namespace autotp {

enum class LossKind : uint8_t { CrossEntropySum, Mean };

struct Objective {
  LossKind kind;
  ValueId lossScale = kNone; ///< a state: what the gradients are multiplied by, times `scaleShare`
  double scaleShare = 1;     ///< a power of two: of a sum over labels about one label's, so that it is scaled as a mean
  std::vector<std::string> untrained = {}; ///< initializers that became constants
};

/// The count of a loss that is a mean over the micro-batch.
ValueId countOfOne(Graph &graph, ValueId loss);

/// Sets the graph's outputs, and keeps those that are batch statistics. A parameter without a gradient (kNone of `gradientOf`, which may add nodes) becomes a
/// constant, and is named in the objective. Errors: `whyNone` of one without contents; `noneAtAll` where no parameter has
/// a gradient.
llvm::Error bindOutputs(Graph &graph, Objective &objective, ValueId sum, ValueId count,
                        llvm::function_ref<ValueId(ValueId parameter)> gradientOf, llvm::StringRef whyNone,
                        llvm::StringRef noneAtAll);

} // namespace autotp
