/// \file The text form of a graph. It is for people and for golden files; parse.h reads it back.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/raw_ostream.h"

#include <functional>

namespace autotp {

/// What is printed beside each value, e.g. its placement; empty for none.
using Annotate = std::function<std::string(ValueId)>;

/// graph (%x: f32[4,8]) { ... return loss=%l }: sources first, one node a line, constants by a short digest of their
/// bytes.
void print(
    const Graph &graph, llvm::raw_ostream &os, const Annotate &annotate = [](ValueId) { return std::string(); });
std::string printed(const Graph &graph);

} // namespace autotp
