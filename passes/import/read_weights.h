/// \file Reads what a rank holds of a parameter from the tensor that fills it, turned as the graph has it.
#pragma once

#include "compiler/ir/tensor.h"
#include "compiler/sharding/first_holder.h"
#include "passes/import/match_weights.h"

namespace autotp {

/// The elements that the covers select of the graph's parameter, in f32. Errors: they cannot be read.
llvm::Expected<Tensor> readPart(const StoredWeights &stored, const WeightMatch &match, const Covers &covers);

/// Whether two tensors would give an initializer of this shape the same numbers.
llvm::Expected<bool> areEqual(const StoredWeights &stored, const WeightMatch &a, const WeightMatch &b,
                              llvm::ArrayRef<int64_t> shape);

} // namespace autotp
