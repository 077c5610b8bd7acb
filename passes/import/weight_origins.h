/// \file From which parameter of the module each initializer was written, and how, as far as the exporter shows it.
///   val_110            model.layers.0.self_attn.q_proj.weight, transposed: aten.linear has it as [out, in]
///   onnx::MatMul_682   the same: TorchScript gives a new name to a weight that it transposes for a product
///   h.0.ln_1.weight    itself, as it is
///   add_5              model.norm.weight by a formula, 1 + w
///   embedding_1        rows of transformer.wpe.weight
/// Shapes are no evidence here, as those of a square matrix say nothing. Must run after find-ties, which finds the
/// modules' names, and before order-nodes, since the exporter's facts are by node.
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"

namespace autotp {

class Graph;

/// Whose names and orientations a file of weights has: those of the module, or those of the graph.
enum class WeightLayout : uint8_t { FromNames, Torch, Graph };

struct WeightOrigin {
  enum class Form : uint8_t {
    Same,       ///< the parameter's elements in their order
    Transposed, ///< a matrix, the other way round
    Rows,       ///< rows of a table that the exporter looked up
    Formula,    ///< computed from the parameter
    Unknown     ///< the exporter made it, and how is not said
  };
  Form form = Form::Unknown;
  /// Names of the parameter besides the initializer's own, the surest first: one that is tied has several. Those that
  /// follow from its uses alone are no other parameter's surest.
  std::vector<std::string> names;
  bool isRenamed = false; ///< whether the exporter made up the initializer's own name
};

/// Initializers that do not lie in the file under the names of their parameters.
struct RenamedWeights {
  const llvm::StringMap<std::string> &moduleNames; ///< see find_ties.h
  /// Those that separate_merged.h, and restore_biases.h and restore_tables.h, have added to the graph.
  llvm::ArrayRef<std::string> separated, restored;
};

/// By the name of the initializer.
std::map<std::string, WeightOrigin> weightOrigins(const Graph &graph, const ExporterFacts &facts,
                                                  const RenamedWeights &renamed);

} // namespace autotp
