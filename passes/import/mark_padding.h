/// \file Marks the row of a lookup that is of no token: an embedding's padding_idx, which a model's nodes do not have.
/// Before:  %e = gather(%table, %ids)                        call: aten.embedding(%p_e_weight, %ids, 1)
/// After:   %e = gather(%table, %ids) {padding_row=1}        its gradient leaves that row alone
/// Before order-nodes: what the exporter says is by node. Without calls nothing changes.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// `perhaps`: "row 1 of e.weight", where no call says so, but where that row alone holds zeros, as new padding does.
llvm::Error markPadding(Graph &graph, const ExporterFacts &facts, std::vector<std::string> &perhaps);

} // namespace autotp
