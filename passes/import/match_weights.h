/// \file Finds the tensors of a file that fill the graph's parameters: by names alone, and how each is turned by what the
/// exporter shows (weight_origins.h). The graph decides everything else. Nothing is matched by shape; shapes only confirm.
///   file of a checkpoint, or of weights that we saved      names and orientations are the graph's own
///   any other                                              those of the module, as PyTorch and Hugging Face write them
#pragma once

#include "passes/import/parameter_names.h"
#include "passes/import/weight_origins.h"
#include "runtime/checkpoint/stored_weights.h"

#include "llvm/ADT/ArrayRef.h"

namespace autotp {

class Graph;

/// What keeps a tensor from filling a parameter.
enum class WeightFault : uint8_t {
  None,
  Missing,     ///< no tensor has a name of it
  Shape,       ///< it has another shape
  Type,        ///< it holds no floats that can be read
  Formula,     ///< the graph holds a formula of it
  Rows,        ///< the graph holds rows of it
  Orientation, ///< it may lie there as in the graph, or transposed: how the graph got it is not known
  Layout,      ///< the same, since it is not known whose orientations the file has
  Twice,       ///< another parameter has taken its tensor
  Differs,     ///< a tied parameter has several names in the file, with different numbers
  Kept,        ///< it is not trained, so the graph's numbers stay, but the file's are others
  Unused       ///< a tensor for which the graph has no parameter
};

struct WeightMatch {
  const StoredWeights::Tensor *tensor = nullptr;
  bool isTransposed = false; ///< of the graph's initializer
  WeightFault fault = WeightFault::Missing;
  /// Of other names of the parameter: it is tied in the module, and the file holds it several times.
  std::vector<const StoredWeights::Tensor *> more = {};
};

struct MatchedWeights {
  WeightLayout layout = WeightLayout::FromNames; ///< as it was found to be; FromNames: it makes no difference so far
  NamePrefix prefix;                             ///< of the module's names
  std::map<std::string, WeightMatch> byInitializer;
};

/// Matches all initializers, of which some may be no parameters: those have a match only if the file has their name.
MatchedWeights matchWeights(const Graph &graph, llvm::ArrayRef<ValueId> initializers,
                            const std::map<std::string, WeightOrigin> &origins, const StoredWeights &stored,
                            WeightLayout said);

/// Collects what is wrong, and makes one error for each kind, which lists all that have it.
class WeightFaults {
public:
  explicit WeightFaults(const StoredWeights &stored) : stored_(stored) {}
  /// `what`: the parameter or tensor, as messages call it.
  void add(WeightFault fault, std::string what);
  void add(const WeightMatch &match, const Graph &graph, ValueId initializer,
           const std::map<std::string, WeightOrigin> &origins);
  llvm::Error take();

private:
  const StoredWeights &stored_;
  std::map<WeightFault, std::vector<std::string>> found_;
};

} // namespace autotp
