/// \file The loss that training minimises, and how a graph states it: outputs loss_sum, count, and the gradient of each
/// parameter.
#pragma once

#include "compiler/ir/ids.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

class Graph;

enum class LossKind : uint8_t { CrossEntropySum, Mean };

struct Objective {
  LossKind kind;
  /// The state by which gradients are multiplied, as well as by `scaleShare`; kNone without loss scaling.
  ValueId lossScale = kNone;
  /// A power of two, about the number of labels if the loss is a sum over them, so that gradients are scaled like those
  /// of a mean.
  double scaleShare = 1;
  std::vector<std::string> untrained = {}; ///< initializers that became constants
};

/// The constant count of 1, for a loss that is a mean over the micro-batch.
ValueId countOfOne(Graph &graph, ValueId loss);

/// Sets the outputs of the graph to the loss, its count, the gradients, and the batch statistics that are there
/// already. `gradientOf` may add nodes; it returns kNone for a parameter without a gradient, which becomes a constant
/// and is named in the objective. Errors: such a parameter has no contents (`whyNone` says why it has no gradient); no
/// parameter has a gradient (`noneAtAll`).
llvm::Error bindOutputs(Graph &graph, Objective &objective, ValueId sum, ValueId count,
                        llvm::function_ref<ValueId(ValueId parameter)> gradientOf, llvm::StringRef whyNone,
                        llvm::StringRef noneAtAll);

} // namespace autotp
