/// \file Finds initializers that are one parameter, by what the exporter says: a weight that was written once for each of
/// its uses, transposed or not.
///   aten.linear(%x, %p_blocks_1_q_weight) on three products with %val_161, %val_298, %val_436: the three are one
/// TorchScript writes an initializer of equal contents as a copy: one that is used within the same module, called again,
/// is the same parameter; one that has a name of its own is not.
/// retie_weights.h ties them. Before order-nodes: what the exporter says is by node.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

/// Names of two initializers that are one.
struct Tie {
  std::string copy, of;
};

/// `moduleNames`: gets the parameters' own names of initializers that the exporter renamed, "val_161":
/// "blocks.1.q.weight".
std::vector<Tie> findTies(const Graph &graph, const ExporterFacts &facts, llvm::StringMap<std::string> &moduleNames);

} // namespace autotp
