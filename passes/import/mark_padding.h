/// \file Marks the row of an embedding that stands for padding (padding_idx), which the nodes of an export do not have.
/// Before:  %e = gather(%table, %ids)                        call: aten.embedding(%p_e_weight, %ids, 1)
/// After:   %e = gather(%table, %ids) {padding_row=1}        its gradient leaves that row alone
/// Must run before order-nodes, since the exporter's facts are by node. Without calls in the file nothing changes.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

/// `perhaps` gets entries such as "row 1 of e.weight" for tables of which no call says so, but in which this row alone
/// is zeros, as the row of padding is in a new table.
llvm::Error markPadding(Graph &graph, const ExporterFacts &facts, std::vector<std::string> &perhaps);

} // namespace autotp
