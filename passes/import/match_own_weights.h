/// \file The model's own initializers as the tensors that fill its parameters, for a plan that refers to them.
#pragma once

#include "passes/import/match_weights.h"

namespace autotp {

/// The match of each parameter of the graph, by its name. `own` are the initializers as they lie in the model's files. Their
/// numbers are read to see that they are the graph's. Errors, all at once: parameters without numbers; those whose
/// numbers do not lie there as the graph has them, since the exporter or the compiler has made them of others.
llvm::Expected<std::map<std::string, WeightMatch>> matchOwn(const Graph &graph, const StoredWeights &own);

} // namespace autotp
