/// \file Brings back biases of zeros, which an exporter drops from its products.
/// Before:  %y = matmul(%x, %w)            call: aten.addmm(%p_c_attn_bias, %x, %p_c_attn_weight)
/// After:   %m = matmul(%x, %w);  %y = add(%m, %c_attn.bias)       a parameter of zeros, as many as the product's columns
/// Before order-nodes: what the exporter says is by node. Without calls nothing changes.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Adds what it brings back to `facts`. `restored`: their names.
llvm::Error restoreBiases(Graph &graph, ExporterFacts &facts, std::vector<std::string> &restored);

} // namespace autotp
