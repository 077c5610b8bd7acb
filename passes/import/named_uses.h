/// \file What the exported program's calls say of each use of an initializer: a call names its parameters, while an
/// exporter merges initializers of equal contents, writes one once for each use, and drops biases of zeros.
///   call   %layer_norm_1 = aten.layer_norm(%add, [32], %p_h_0_ln_2_weight, %p_h_0_ln_2_bias)
///   node   layer_norm(%add, %h.0.ln_1.weight, %h.0.ln_1.bias)      its operand 1 is the parameter p_h_0_ln_2_weight
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/ADT/MapVector.h"

namespace autotp {

struct NamedUse {
  enum class Kind : uint8_t {
    Source,   ///< a parameter, buffer or constant of the program
    Computed, ///< a value of the program, which the exporter has folded
    Number,   ///< a number that the call states, or that the operator's definition needs
    Unknown,
  };
  Use use;
  Kind kind = Kind::Unknown;
  std::string name = {}; ///< of a Source: its placeholder, "p_h_0_ln_2_weight"; of a Computed: the value's
};

/// A source that a call names and that no operand of its nodes is: the bias of zeros of a product.
struct DroppedBias {
  uint32_t call;
  std::string placeholder;
  llvm::SmallVector<NodeId, 4> nodes; ///< of the call, in order
};

struct ProgramNames {
  llvm::MapVector<ValueId, llvm::SmallVector<NamedUse, 2>> uses; ///< of initializers by nodes that are of a call
  std::vector<DroppedBias> dropped;
};

/// `graph` as it was imported: initializers are its parameters.
ProgramNames nameUses(const Graph &graph, const ExporterFacts &facts);

/// What the first letters of a placeholder say: p_ a parameter, b_ a buffer, c_ a constant.
std::optional<TensorKind> kindOfPlaceholder(llvm::StringRef placeholder);

/// The names in an argument of a call: "[%a, %b]" holds two.
llvm::SmallVector<llvm::StringRef, 2> namesIn(llvm::StringRef argument);

/// "h.0.ln_2.weight" as placeholders have it: "h_0_ln_2_weight".
std::string flat(llvm::StringRef path);

/// The operator that a value's name says: "tanh_3" is tanh's.
llvm::StringRef operatorOf(llvm::StringRef value);

/// What a value of the program is, by the operator that its name says: "tanh_3" is computed by tanh.
enum class ValueOrigin : uint8_t {
  View,    ///< an operand's elements in another shape or order, or some of them
  Created, ///< of no operand: zeros, arange
  Formula,
  Unnamed, ///< val_12
};
ValueOrigin originOf(llvm::StringRef value);

/// What an initializer was folded from.
struct FoldedFrom {
  std::vector<std::string> sources; ///< parameters and buffers, in the order of their names
  bool isFormula = false;           ///< and not only a view of them
};
FoldedFrom foldedFrom(llvm::StringRef initializer, const ExporterFacts &facts);

} // namespace autotp
