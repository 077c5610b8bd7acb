/// \file Refuses a loss that the exporter wrote as another one: dynamo's leaves label_smoothing out of its node.
///   call   aten.cross_entropy_loss(%logits, %labels, None, 1, -100, 0.1)
///   node   cross_entropy(%logits, %labels) {ignore_index=-100}           smoothed by 0.1, the loss is another number
/// Before order-nodes: what the exporter says is by node. Without calls nothing is refused.
/// Errors: all such losses.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error checkLosses(const Graph &graph, const ExporterFacts &facts);

} // namespace autotp
