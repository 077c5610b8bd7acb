/// \file Restores the table of a lookup that the exporter folded and that holds some rows several times. With a static
/// batch, an exporter folds the lookups of positions and token types, for each sample.
/// Before:  parameter %embedding_2 : f32[4,8,16]       folded from kinds.weight: 32 rows that are all equal
/// After:   parameter %kinds.weight : f32[1,16];  %e = gather(%kinds.weight, ids) : f32[4,8,16]
/// Rows that are never looked up stay lost, but no gradient reaches them. If all rows differ, the folded lookup trains
/// like the table and stays.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

/// Adds what it restores to `facts`, and the names to `restored`.
llvm::Error restoreTables(Graph &graph, ExporterFacts &facts, std::vector<std::string> &restored);

} // namespace autotp
