/// \file The outputs of a differentiated graph that are gradients, beside their parameters.
#pragma once

#include "compiler/ir/graph.h"

#include <utility>
#include <vector>

namespace autotp {

/// The name of the output that is the gradient of this parameter.
std::string gradientName(llvm::StringRef parameter);

/// (parameter, gradient) in the order of Graph::parameters; parameters without a gradient output are left out.
std::vector<std::pair<ValueId, ValueId>> gradientOutputs(const Graph &graph);

} // namespace autotp
