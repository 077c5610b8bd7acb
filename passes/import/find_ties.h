/// \file Finds initializers that are one parameter, by what the exporter says: a weight that was written once for each
/// of its uses, transposed or not.
///   aten.linear(%x, %p_blocks_1_q_weight) on three products with %val_161, %val_298, %val_436: the three are one
/// TorchScript writes an initializer of equal contents as a copy. If a second call of the same module uses the copy, it
/// is the same parameter; if it has a name of its own, it is another one.
/// retie_weights.h ties what is found. Must run before order-nodes, since the exporter's facts are by node.
#pragma once

#include "llvm/ADT/StringMap.h"

#include <string>
#include <vector>

namespace autotp {

struct ExporterFacts;
class Graph;

/// The names of two initializers that are one parameter.
struct Tie {
  std::string copy, of;
};

/// Fills `moduleNames` with the module's own name of each initializer that the exporter renamed, such as "val_161":
/// "blocks.1.q.weight".
std::vector<Tie> findTies(const Graph &graph, const ExporterFacts &facts, llvm::StringMap<std::string> &moduleNames);

} // namespace autotp
