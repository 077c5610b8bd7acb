/// \file Gives back the table of which a folded lookup holds rows more than once: with a static batch an exporter looks up
/// positions and kinds of tokens itself, for each sample.
/// Before:  parameter %embedding_2 : f32[4,8,16]       folded from kinds.weight: 32 rows, all of them one
/// After:   parameter %kinds.weight : f32[1,16];  %e = gather(%kinds.weight, ids) : f32[4,8,16]
/// Rows that are not looked up stay lost; no gradient reaches them. A lookup of different rows trains as it is.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Adds what it brings back to `facts`. `restored`: their names.
llvm::Error restoreTables(Graph &graph, ExporterFacts &facts, std::vector<std::string> &restored);

} // namespace autotp
