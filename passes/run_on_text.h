/// \file Runs passes on a graph that is given as text (docs/ir.md), for autotp-opt and for tests.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace autotp {

struct CompileOptions;

/// Every parameter of the text is trained, unless classify-parameters decides it. The first pass must work on the global
/// graph, or read nothing of a tp rank but its graph; then the text is the graph of each rank, and its outputs
/// "state:NAME" lie in states. Each pass of `passes` must need the form that the one before it leaves. Returns what the
/// last pass left, as stage_text.h prints it.
/// Errors: the text does not parse, or lacks contents of constants; an unknown or misplaced pass; and the errors of the
/// passes.
llvm::Expected<std::string> runOnText(llvm::StringRef text, llvm::ArrayRef<std::string> passes,
                                      const CompileOptions &options);

} // namespace autotp
