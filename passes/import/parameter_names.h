/// \file Matches names in a user's list of parameters, which are those of the model, with the names in the file.
#pragma once

#include "passes/import/find_ties.h"

#include "llvm/Support/Error.h"

#include <compare>
#include <optional>

namespace autotp {

class Graph;

/// The modules in front of the names of one side: a wrapper's, such as "model.", which the other side lacks.
struct NamePrefix {
  std::string text;
  bool isOfFile = false; ///< whether the user's names have it, or else those of the graph
  /// What the user's names call a parameter of the graph; empty if its name does not begin as those of the graph do.
  std::string inFile(llvm::StringRef name) const;
  auto operator<=>(const NamePrefix &) const = default;
};

/// What one of two names has in front of the other; none if neither is the end of the other, at a dot.
std::optional<NamePrefix> prefixBetween(llvm::StringRef listed, llvm::StringRef name);

/// The prefix under which most of the graph's names are among the user's, which are sorted; of equals the shortest. No
/// prefix if none helps.
NamePrefix commonPrefix(llvm::ArrayRef<llvm::StringRef> listed, llvm::ArrayRef<std::string> names);

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
