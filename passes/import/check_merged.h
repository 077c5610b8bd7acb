/// \file Refuses a file in which an exporter merged layers of equal contents, and so lost parameters: two heads of
/// zeros over one input become one node.
///   calls   %linear_1 = aten.linear(%h, %p_a_weight),  %loss_1 = aten.cross_entropy_loss(%linear_2, %labels)
///   nodes   %linear_1 = matmul(%h, %a.weight);  cross_entropy(%linear_1, %labels)       %linear_2 was of %b.weight
/// A parameter is lost in this way if no initializer holds it but a call names it; or if no call of its module is left,
/// and a layer with a parameter of the same name stands where a call names a value that no node computes. A tied
/// parameter is missing too, but its module's call names the other one; and a parameter on which the loss does not
/// depend is missing without such traces.
/// Must run before order-nodes, since the exporter's facts are by node. Without calls in the file nothing is refused.
/// Errors: all such parameters.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

llvm::Error checkMerged(const Graph &graph, const ExporterFacts &facts);

} // namespace autotp
