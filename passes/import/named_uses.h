/// \file What the calls of the exported program say about each use of an initializer. A call names its parameters,
/// while an exporter merges initializers of equal contents, writes one several times, and drops biases of zeros.
///   call   %layer_norm_1 = aten.layer_norm(%add, [32], %p_h_0_ln_2_weight, %p_h_0_ln_2_bias)
///   node   layer_norm(%add, %h.0.ln_1.weight, %h.0.ln_1.bias)      its operand 1 is the parameter p_h_0_ln_2_weight
#pragma once

#include "compiler/ir/exporter_facts.h"
#include "compiler/ir/graph.h"

#include "llvm/ADT/MapVector.h"

namespace autotp {

struct NamedUse {
  enum class Kind : uint8_t {
    Source,   ///< a parameter, buffer or constant of the program
    Computed, ///< a value of the program that the exporter has folded
    Number,   ///< a number that the call states, or that the definition of the operator needs
    Unknown,
  };
  Use use;
  Kind kind = Kind::Unknown;
  std::string name = {}; ///< the placeholder of a Source, such as "p_h_0_ln_2_weight", or the name of a Computed value
};

/// A bias of zeros that a call names but that no node of the call has as an operand.
struct DroppedBias {
  uint32_t call;
  std::string placeholder;
  llvm::SmallVector<NodeId, 4> nodes; ///< the nodes of the call, in order
};

struct ProgramNames {
  /// The uses of each initializer in nodes that belong to a call.
  llvm::MapVector<ValueId, llvm::SmallVector<NamedUse, 2>> uses;
  std::vector<DroppedBias> dropped;
};

/// `graph` is the graph as it was imported, in which initializers are parameters.
ProgramNames nameUses(const Graph &graph, const ExporterFacts &facts);

/// The kind that the prefix of a placeholder says: p_ for a parameter, b_ a buffer, c_ a constant.
std::optional<TensorKind> kindOfPlaceholder(llvm::StringRef placeholder);

/// The names in an argument of a call; "[%a, %b]" has two.
llvm::SmallVector<llvm::StringRef, 2> namesIn(llvm::StringRef argument);

/// A path as placeholders spell it: "h.0.ln_2.weight" becomes "h_0_ln_2_weight".
std::string flat(llvm::StringRef path);

/// The operator in a value's name: "tanh" for "tanh_3".
llvm::StringRef operatorOf(llvm::StringRef value);

/// How a value of the program was made, by the operator in its name.
enum class ValueOrigin : uint8_t {
  View,    ///< elements of an operand in another shape or order, or some of them
  Created, ///< made without an operand, such as zeros or arange
  Formula,
  Unnamed, ///< the name has no operator, such as val_12
};
ValueOrigin originOf(llvm::StringRef value);

/// The values from which an initializer was folded.
struct FoldedFrom {
  std::vector<std::string> sources; ///< parameters and buffers, in the order of their names
  bool isFormula = false;           ///< whether it is computed from them and not only a view
};
FoldedFrom foldedFrom(llvm::StringRef initializer, const ExporterFacts &facts);

} // namespace autotp
