/// \file Refuses a loss of which the exporter wrote only a part: dynamo leaves label_smoothing out of its node.
///   call   aten.cross_entropy_loss(%logits, %labels, None, 1, -100, 0.1)
///   node   cross_entropy(%logits, %labels) {ignore_index=-100}           without the smoothing, the loss is another
///   number
/// Must run before order-nodes, since the exporter's facts are by node. Without calls in the file nothing is refused.
/// Errors: all such losses.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

llvm::Error checkLosses(const Graph &graph, const ExporterFacts &facts);

} // namespace autotp
