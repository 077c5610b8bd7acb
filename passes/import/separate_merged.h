/// \file Takes apart initializers that an exporter merged since their contents are equal: each parameter is one again.
/// Before:  %a = layer_norm(%x, %h.0.ln_1.weight, ..);  %b = layer_norm(%a, %h.0.ln_1.weight, ..)
///          calls: aten.layer_norm(%x, [32], %p_h_0_ln_1_weight, ..), aten.layer_norm(%a, [32], %p_h_0_ln_2_weight, ..)
/// After:   %a = layer_norm(%x, %h.0.ln_1.weight, ..);  %b = layer_norm(%a, %h.0.ln_2.weight, ..)      of equal contents
/// A number or a folded value that was merged with a parameter is a constant or an initializer of its own.
/// Before order-nodes: what the exporter says is by node. Needs no evidence but calls; without calls nothing changes.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Adds what it takes apart to `facts`. `separated`: the names of those that are new, "h.0.ln_2.weight".
llvm::Error separateMerged(Graph &graph, ExporterFacts &facts, std::vector<std::string> &separated);

} // namespace autotp
