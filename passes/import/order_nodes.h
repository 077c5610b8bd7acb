/// \file Puts the nodes into the order of a depth-first walk from the outputs, and drops what no output needs.
/// Before:  any topological order, as the file has it
/// After:   the order that the graph alone decides: equal graphs give equal plans, whatever order their file has
/// Sources keep their order; all values are new.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

void orderNodes(Graph &graph);

} // namespace autotp
