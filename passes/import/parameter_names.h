/// \file Whose name is meant: a list of parameters calls them as their model does, a file mostly so.
#pragma once

#include "passes/import/find_ties.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Whether a listed name is an initializer's, or its parameter's own where the exporter renamed it. One of the names may
/// be the end of the other: a wrapper's module leads the names of an export.
bool isNameOf(llvm::StringRef listed, llvm::StringRef initializer, const llvm::StringMap<std::string> &moduleNames);

/// Listed names that no parameter of the graph has.
std::vector<std::string> namesOfNone(const Graph &graph, llvm::ArrayRef<std::string> listed,
                                     const llvm::StringMap<std::string> &moduleNames);

/// The ties between parameters of the graph that listed names say. Errors: a name that none of them has.
llvm::Expected<std::vector<Tie>> tiesOfList(const Graph &graph, llvm::ArrayRef<Tie> listed,
                                            const llvm::StringMap<std::string> &moduleNames);

} // namespace autotp
