/// \file Pairs each parameter of a differentiated graph with the output that is its gradient.
#pragma once

#include "compiler/ir/graph.h"

#include <utility>
#include <vector>

namespace autotp {

/// The name of the output that holds the gradient of this parameter.
std::string gradientName(llvm::StringRef parameter);

/// Pairs (parameter, gradient) in the order of Graph::parameters; parameters without a gradient output are left out.
std::vector<std::pair<ValueId, ValueId>> gradientOutputs(const Graph &graph);

} // namespace autotp
