/// \file Ties again what an exporter wrote twice: a table of a lookup and the weight of a product.
/// Before:  %e = gather(%wte, ids);  %logits = matmul(%x, %copy)      (equal bytes, perhaps transposed)
/// After:   %logits = matmul(%x, transpose(%wte)); %copy is an alias of %wte
/// Only rank 2, not constant-valued, equal bytes. Never norms, biases or two products.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

/// The names that were joined, "copy = table (transposed)", for the summary.
std::vector<std::string> retieWeights(Graph &graph);

/// Parameters of equal contents, "a = b", that are not tied: one weight that two products use may have been written
/// twice (a layer that is run twice), and is then trained apart. Found by their bytes, the first ones first.
std::vector<std::string> equalWeights(const Graph &graph);

} // namespace autotp
