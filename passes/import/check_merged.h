/// \file Refuses a file in which an exporter merged layers of equal contents, and with them their parameters: two heads of
/// zeros over one input are one node.
///   calls   %linear_1 = aten.linear(%h, %p_a_weight),  %loss_1 = aten.cross_entropy_loss(%linear_2, %labels)
///   nodes   %linear_1 = matmul(%h, %a.weight);  cross_entropy(%linear_1, %labels)       %linear_2 was of %b.weight
/// A parameter is lost so if no initializer holds it, and a call names it all the same; or if no call is left of its module,
/// and a layer with a parameter like it stands where a call names what no node computes. A tied one is missing too, but its
/// module's call names the other; and one that the loss does not depend on is missing without traces.
/// Before order-nodes: what the exporter says is by node. Without calls nothing is refused.
/// Errors: all such parameters.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error checkMerged(const Graph &graph, const ExporterFacts &facts);

} // namespace autotp
