/// \file The text form of a graph, for people and golden files; parse.h reads it back.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/raw_ostream.h"

#include <functional>

namespace autotp {

/// Returns the text that is printed behind the type of a value, such as its placement; empty for none.
using Annotate = std::function<std::string(ValueId)>;

/// What is printed of contents.
enum class Contents : uint8_t {
  Digest, ///< of constants, with a digest where they have more than 8 elements; for people and golden files
  Whole,  ///< of constants and parameters, with all bytes in hexadecimal; for parse.h
};

/// Prints graph { ... return loss=%l }: sources first, then one node a line. A name with characters other than letters,
/// digits and "_./:$@+-" stands in quotes, with \ for bytes that cannot be printed.
void print(
    const Graph &graph, llvm::raw_ostream &os, const Annotate &annotate = [](ValueId) { return std::string(); },
    Contents contents = Contents::Digest);
std::string printed(const Graph &graph, Contents contents = Contents::Digest);

} // namespace autotp
