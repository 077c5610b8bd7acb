/// \file Tells parameters from an exporter's constants, by ranked evidence.
/// Before:  every float initializer is a parameter
/// After:   those that are trained are parameters and listed in Graph::parameters; the others are constants
/// The first evidence that says anything decides: the user's flags (--only, --train, --freeze), the user's list
/// (--parameters), the exporter's facts (exporter_verdicts.h), the role in the dataflow (parameter_roles.h). If both
/// --train and --freeze match a name, the pattern with more letters and digits wins; of equal patterns, --freeze.
/// Errors: a pattern that is no regular expression, or that matches nothing; and, all at once, each initializer for
/// which no evidence decides, or whose parameters the file no longer holds, with the flags that settle it.
#pragma once

#include "compiler/ir/exporter_facts.h"
#include "passes/import/exporter_verdicts.h"
#include "passes/import/find_ties.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace autotp {

class Graph;

enum class EvidenceKind : uint8_t { Flag, List, TrainingGraph, Exporter, Role };
llvm::StringRef nameOf(EvidenceKind kind);

struct ParameterOverrides {
  std::string train, freeze, only; ///< regular expressions that are searched in names; empty: not given
  std::vector<std::string> listed; ///< with isListed, the parameters that --parameters lists
  bool isListed = false;
  std::vector<Tie> ties; ///< names that --parameters says are one parameter
  bool assumesRoles = false;
};

/// Reads a line of a list of names: "h.0.weight", or "lm_head.weight = wte.weight", which says that both are one
/// parameter. A # begins a comment.
void addListed(llvm::StringRef line, ParameterOverrides &overrides);

/// How an initializer on which the loss depends was classified, and by which evidence.
struct ClassifiedInitializer {
  std::string name, type;
  bool isTrained = false, isNumber = false; ///< isNumber: it has one element
  bool isFrozen = false;                    ///< a parameter, which the user's flags or list leave untrained
  EvidenceKind evidence = EvidenceKind::Role;
  std::string why;
};

/// A line for people. `moduleName`: the module's own name of it, if that is another one.
std::string textOf(const ClassifiedInitializer &initializer, llvm::StringRef moduleName = "");

/// What is known beside the graph.
struct ParameterEvidence {
  const ParameterOverrides &overrides;
  /// By initializer: the module's own name of the parameter, if the exporter renamed it. Patterns and lists match
  /// either name.
  const llvm::StringMap<std::string> &moduleNames;
  std::map<std::string, ExporterVerdict> verdicts; ///< what the exporter says, by initializer
  Exporter exporter = Exporter::Unknown;
  /// Initializers that their uses show to be no parameters, such as running statistics.
  llvm::ArrayRef<std::string> untrained = {};
  llvm::ArrayRef<Tie> ties = {}; ///< initializers that the exporter wrote twice; the copy is classified like the other
  bool decaysVectors = false;    ///< whether the optimizer decays vectors too
  bool fillsFrozen = false;      ///< whether frozen parameters may lack contents, as a file of weights has them
};

/// Makes each of `initializers` a parameter or a constant, and lists those that any node reads in `classified`.
llvm::Error classifyParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers, const ParameterEvidence &evidence,
                               std::vector<ClassifiedInitializer> &classified);

/// The same for a model whose own training graph says what is trained.
llvm::Error takeParameters(Graph &graph, llvm::ArrayRef<ValueId> initializers,
                           llvm::function_ref<bool(const std::string &)> isTrained,
                           std::vector<ClassifiedInitializer> &classified);

} // namespace autotp
