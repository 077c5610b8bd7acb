/// \file Sorts the nodes by a depth-first walk from the outputs, and drops those that no output needs.
/// Before:  any topological order, as the file has it
/// After:   an order that depends on the graph alone, so that equal graphs give equal plans, whatever order their file
/// has
/// Sources keep their order. All ids of values and nodes change.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

void orderNodes(Graph &graph);

} // namespace autotp
