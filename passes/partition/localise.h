/// \file The program of one tp coordinate: local shapes, local constants, and every collective. Collectives appear here
/// and only here.
/// Before:  %h = matmul(%x: f32[4,8], %w1: f32[8,16{f}]);  %y = matmul(%h, %w2) partial, reduced here
/// After:   %h = matmul(%x: f32[4,8], %w1: f32[8,8]);      %y = all_reduce(matmul(%h, %w2)) {axis=tp}
/// What is rewritten comes from the terms alone: shapes, slice bounds, offsets of lookups and of classes.
/// A pending sum that meets a whole addend keeps that addend on the first holder and replaces it by 0 elsewhere.
#pragma once

#include "compiler/sharding/graph_axes.h"
#include "passes/shard/place_reductions.h"

#include "llvm/Support/Error.h"

namespace autotp {

struct LocalParameter {
  ValueId global;                       ///< in the global graph
  ValueId local, gradient;              ///< in the local graph; the gradient (kNone before there is one) is still pending over dp
  llvm::SmallVector<Cover, 6> covers;   ///< one a dimension
  bool isFirstHolder;                   ///< no earlier coordinate holds the same part: it counts in the norm
};

struct LocalProgram {
  Graph graph; ///< the outputs of the global graph: gradients as their parameters are held, all others whole
  std::vector<LocalParameter> parameters;
};

/// Everything that decides a local program.
struct PlacedGraph {
  const Graph &graph;
  const GraphAxes &axes;
  const Assignment &assignment;
  const Reductions &reductions;
  int tp;
  bool shardsInputs = false; ///< else inputs are fed whole and every use takes its part
};

llvm::Expected<LocalProgram> localise(const PlacedGraph &placed, int coordinate);

} // namespace autotp
