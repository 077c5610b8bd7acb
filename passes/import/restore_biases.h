/// \file Restores biases of zeros, which an exporter drops from products.
/// Before:  %y = matmul(%x, %w)            call: aten.addmm(%p_c_attn_bias, %x, %p_c_attn_weight)
/// After:   %m = matmul(%x, %w);  %y = add(%m, %c_attn.bias)       a parameter of zeros, one for each column of the
/// product
/// Must run before order-nodes, since the exporter's facts are by node. Without calls in the file nothing changes.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

/// Adds what it restores to `facts`, and the names to `restored`.
llvm::Error restoreBiases(Graph &graph, ExporterFacts &facts, std::vector<std::string> &restored);

} // namespace autotp
