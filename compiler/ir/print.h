/// \file The text form of a graph. It is for people and for golden files; parse.h reads it back.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/raw_ostream.h"

#include <functional>

namespace autotp {

/// What is printed beside each value, e.g. its placement; empty for none.
using Annotate = std::function<std::string(ValueId)>;

/// How constants of more than a few elements are printed.
enum class Contents : uint8_t {
  Digest, ///< for people and goldens: a short digest of their bytes
  Whole,  ///< for parse.h: all bytes, in hexadecimal
};

/// graph { ... return loss=%l }: sources first, one node a line. A name that is more than letters, digits and
/// "_./:$@+-" stands in quotes, with \XX for what cannot be printed.
void print(
    const Graph &graph, llvm::raw_ostream &os, const Annotate &annotate = [](ValueId) { return std::string(); },
    Contents contents = Contents::Digest);
std::string printed(const Graph &graph, Contents contents = Contents::Digest);

} // namespace autotp
