/// \file Tells parameters from an exporter's constants, by ranked evidence.
/// Before:  every float initializer is a parameter
/// After:   those that are trained are, and are listed in Graph::parameters; the others are constants
/// Evidence, the first that speaks decides: the user's flags (--only, --train, --freeze), the user's list (--parameters),
/// what the exporter says (exporter_verdicts.h), the role in the dataflow (parameter_roles.h).
/// Where both --train and --freeze match a name, the pattern with more letters and digits wins; of equals, --freeze.
/// Errors: a pattern that is no regular expression, or that matches nothing; and, all at once, each initializer for which
/// nothing decides, or of which the file no longer holds the parameters, with the flags that settle it.
#pragma once

#include "passes/import/exporter_verdicts.h"
#include "passes/import/find_ties.h"

#include "llvm/Support/Error.h"

namespace autotp {

enum class EvidenceKind : uint8_t { Flag, List, TrainingGraph, Exporter, Role };
llvm::StringRef nameOf(EvidenceKind kind);

struct ParameterOverrides {
  std::string train, freeze, only; ///< regular expressions, found in names; empty: none
  std::vector<std::string> listed; ///< the model's parameters, as --parameters gives them; with isListed
  bool isListed = false;
  std::vector<Tie> ties; ///< of --parameters: names that are one
  bool assumesRoles = false;
};

/// Takes a line of a list of names: "h.0.weight", or "lm_head.weight = wte.weight", which says that the two are one; what
/// follows a # is a comment.
void addListed(llvm::StringRef line, ParameterOverrides &overrides);

/// What became of an initializer that the loss depends on, and by which evidence.
struct ClassifiedInitializer {
  std::string name, type;
  bool isTrained = false, isNumber = false; ///< a number: of one element
  EvidenceKind evidence = EvidenceKind::Role;
  std::string why;
};

/// Beside the graph, what there is to judge by.
struct ParameterEvidence {
  const ParameterOverrides &overrides;
  /// By initializer: the parameter's own name where the exporter renamed it; patterns and lists match either.
  const llvm::StringMap<std::string> &moduleNames;
  std::map<std::string, ExporterVerdict> verdicts; ///< of the exporter
  Exporter exporter = Exporter::Unknown;
  llvm::ArrayRef<std::string> untrained = {}; ///< no parameters by what reads them, such as running statistics
  llvm::ArrayRef<Tie> ties = {};              ///< what the exporter wrote twice is one: the copy is what the other is
  bool decaysVectors = false;                 ///< as the optimizer is told
};

llvm::Error classifyParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers, const ParameterEvidence &evidence,
                               std::vector<ClassifiedInitializer> &classified);

/// The same where a model's own training graph says what is trained.
llvm::Error takeParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers,
                           llvm::function_ref<bool(const std::string &)> isTrained,
                           std::vector<ClassifiedInitializer> &classified);

} // namespace autotp
