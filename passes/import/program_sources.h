/// \file The tensors that an exported program takes: what they are called, and which of them its file still holds.
///   signature   p_h_0_ln_2_weight: PARAMETER target='h.0.ln_2.weight'
#pragma once

#include "passes/import/named_uses.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace autotp {

/// Names of the tensors that placeholders stand for: "p_h_0_ln_2_weight" is h.0.ln_2.weight. Initializers and the
/// program's signature say them. A file without a signature has lost dots and capitals, which come from the names that
/// folded initializers were made from, from the modules around the call, or from those that other names begin with.
class SourceNames {
public:
  explicit SourceNames(const ExporterFacts &facts);
  /// `like`: the initializer that was used in its place; the last part of both names is mostly the same.
  std::string nameOf(llvm::StringRef placeholder, const ProgramCall &call, llvm::StringRef like = "") const;

private:
  void addModulesOf(llvm::StringRef name);

  // Looked up only:
  llvm::StringMap<std::string> known_;    ///< by placeholder without its "p_"
  llvm::StringMap<std::string> declared_; ///< by placeholder, of the signature
  llvm::StringMap<std::string> modules_;  ///< by the path as placeholders have it
};

/// Placeholders that an initializer is, was viewed or folded from, or that restore_biases.h brings back.
llvm::StringSet<> heldSources(const Graph &graph, const ExporterFacts &facts, const ProgramNames &names);

} // namespace autotp
