/// \file Which values an integer input may hold, where tables of different sizes are looked up by parts of it.
/// Before:  input %x: i64[4,2];   gather(%users: f32[10,8], %x[:, 0]);   gather(%items: f32[99,8], %x[:, 1])
/// After:   place 0 of a sample below 10 ('users'), place 1 below 99 ('items')
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

struct InputBound {
  std::string of; ///< the table, or the loss whose classes they are
  int64_t limit = 0;
  std::vector<int64_t> places; ///< elements of a sample, in order; empty: all of them
};

/// A bound for each use as an index, elements followed through what only moves them. In the order of the nodes; empty
/// where all uses have the same bound, or it holds no integers. `samples`: how many of them the input's first dimension holds.
std::vector<InputBound> inputBounds(const Graph &graph, ValueId input, int64_t samples);

} // namespace autotp
