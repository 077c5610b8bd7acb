/// \file Passes on a graph that is given as text (docs/ir.md): for autotp-opt, and for tests that are texts.
#pragma once

#include "passes/pass.h"

namespace autotp {

/// Every parameter of the text is trained. The first pass works on the global graph, or on nothing of a tp rank but its
/// graph: then the text is that of each rank. `passes`: names, each of which needs the form that the one before it
/// leaves. What is printed is what the last of them left; see stage_text.h.
/// Errors: a text that does not parse, or leaves out contents; names that no pass has, or in another order; and those of
/// the passes.
llvm::Expected<std::string> runOnText(llvm::StringRef text, llvm::ArrayRef<std::string> passes,
                                      const CompileOptions &options);

} // namespace autotp
