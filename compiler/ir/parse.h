/// \file Reads the text form of a graph that print.h writes, without annotations.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// `internOp` returns the static spelling of an operator's name, or an empty text if there is no such operator, since
/// the operator table lies above the IR. Constants that were printed as a digest have no contents (Contents::Whole
/// keeps them). Origins are not in the text. Errors name the line, and leave it to the caller to say which file it is.
llvm::Expected<Graph> parse(llvm::StringRef text, llvm::function_ref<llvm::StringRef(llvm::StringRef)> internOp);

} // namespace autotp
