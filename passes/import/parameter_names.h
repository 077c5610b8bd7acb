/// \file Matches names in a user's list of parameters, which are those of the model, with the names in the file.
#pragma once

#include "passes/import/find_ties.h"

#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

/// Whether a listed name is that of the initializer, or of its parameter if the exporter renamed it. One name may be a
/// suffix of the other, since a wrapper adds its module in front of the names of an export.
bool isNameOf(llvm::StringRef listed, llvm::StringRef initializer, const llvm::StringMap<std::string> &moduleNames);

/// The listed names that no parameter of the graph has.
std::vector<std::string> namesOfNone(const Graph &graph, llvm::ArrayRef<std::string> listed,
                                     const llvm::StringMap<std::string> &moduleNames);

/// The listed ties as names of parameters of the graph. Errors: a name that no parameter has.
llvm::Expected<std::vector<Tie>> tiesOfList(const Graph &graph, llvm::ArrayRef<Tie> listed,
                                            const llvm::StringMap<std::string> &moduleNames);

} // namespace autotp
