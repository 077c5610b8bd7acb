/// \file The tensors that an exported program takes: their names, and which of them the file still holds.
///   signature   p_h_0_ln_2_weight: PARAMETER target='h.0.ln_2.weight'
#pragma once

#include "passes/import/named_uses.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace autotp {

class Graph;

/// Finds the names of the tensors that placeholders stand for: "p_h_0_ln_2_weight" is h.0.ln_2.weight. Initializers and
/// the program's signature say them. In a file without a signature, dots and capitals are lost; they are taken from the
/// names in folded initializers, from the modules around the call, or from names with the same prefix.
class SourceNames {
public:
  explicit SourceNames(const ExporterFacts &facts);
  /// `like` is the initializer that is used in its place; mostly, the last parts of both names agree.
  std::string nameOf(llvm::StringRef placeholder, const ProgramCall &call, llvm::StringRef like = "") const;

private:
  void addModulesOf(llvm::StringRef name);

  // Looked up only:
  llvm::StringMap<std::string> known_;    ///< by placeholder, without its "p_"
  llvm::StringMap<std::string> declared_; ///< by placeholder, from the signature
  llvm::StringMap<std::string> modules_;  ///< by the path as placeholders spell it
};

/// The placeholders that the file still holds: an initializer is one, or was viewed or folded from it, or
/// restore_biases.h brings it back.
llvm::StringSet<> heldSources(const Graph &graph, const ExporterFacts &facts, const ProgramNames &names);

} // namespace autotp
