/// \file Finds which values an integer input may hold, if parts of it index tables of different sizes.
/// Before:  input %x: i64[4,2];   gather(%users: f32[10,8], %x[:, 0]);   gather(%items: f32[99,8], %x[:, 1])
/// After:   element 0 of a sample is below 10 ('users'), element 1 below 99 ('items')
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

struct InputBound {
  std::string of; ///< the name of the table, or of the loss whose classes the elements are
  int64_t limit = 0;
  std::vector<int64_t> places; ///< indices of the elements within a sample, ascending; empty: all elements
};

/// One bound for each use as an index, in the order of nodes; elements are followed through nodes that only move them.
/// Empty if all uses have the same bound, or the input holds no integers. `samples` is the number of samples in the
/// first dimension of the input.
std::vector<InputBound> inputBounds(const Graph &graph, ValueId input, int64_t samples);

} // namespace autotp
