/// \file Means over the batch, whose numbers of rows an exporter wrote as constants.
#pragma once

#include "compiler/sharding/graph_axes.h"

namespace autotp {

/// Before:  %s = reduce_sum(%x: f32[4,8]) {axes=[0,1]};  %loss = mul(%s, 0.03125)
/// After:   the same with 0.0625, where `smaller` is 1/2
/// A mean is a sum over n elements, the batch among them, that is multiplied by 1/n or divided by n. Returns null where
/// all outputs are then what they would be had the graph been exported with the smaller batch; else a node whose sum over
/// the batch reaches an output and is no mean, nor divided by another such sum.
/// `batch`: a leaf of `axes`. No node is added or taken away.
const Node *shrinkMeans(Graph &graph, const GraphAxes &axes, AxisId batch, double smaller);

} // namespace autotp
