/// \file Separates initializers that an exporter merged since their contents are equal, so that each parameter is one
/// again.
/// Before:  %a = layer_norm(%x, %h.0.ln_1.weight, ..);  %b = layer_norm(%a, %h.0.ln_1.weight, ..)
///          calls: aten.layer_norm(%x, [32], %p_h_0_ln_1_weight, ..), aten.layer_norm(%a, [32], %p_h_0_ln_2_weight, ..)
/// After:   %a = layer_norm(%x, %h.0.ln_1.weight, ..);  %b = layer_norm(%a, %h.0.ln_2.weight, ..)      of equal
/// contents
/// A number or a folded value that was merged with a parameter becomes a constant or an initializer of its own.
/// Must run before order-nodes, since the exporter's facts are by node. Calls are the only evidence that is needed;
/// without calls in the file nothing changes.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

/// Adds what it separates to `facts`, and the names of new initializers, such as "h.0.ln_2.weight", to `separated`.
llvm::Error separateMerged(Graph &graph, ExporterFacts &facts, std::vector<std::string> &separated);

} // namespace autotp
