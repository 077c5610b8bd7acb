/// \file The role of each float initializer in the dataflow: what the graph alone says of whether it is trained.
/// Trained: an operand of a product whose other side depends on an input; a table of a lookup; scale or bias of a norm; a
/// vector that scales, or is added to, a dimension of something learned, or takes its place (where); a table that is
/// added to embeddings (what lookups and additions of them alone gave), or that scales something learned; the bias of a
/// product of one column; and what a formula without an input makes such an operand of: reshapes and casts, a sum of
/// products, a norm.
/// Constant: masks and tables of rotations, by their contents (known_tables.h); what is added to scores and the
/// frequencies of sines; weights of a loss's terms; single numbers; the ones that an exporter gives all norms without a
/// scale; what no gradient reaches.
/// Anything else is unknown.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

struct ParameterRole {
  enum class Kind : uint8_t { Unknown, Trained, Constant };
  Kind kind = Kind::Unknown;
  llvm::StringRef why;    ///< "a mask"; in static storage
  bool isNumber = false;  ///< constant for no other reason than that it is a single number
  bool isUniform = false; ///< or one number throughout
  bool isFactor = false;  ///< trained for no other reason than that it scales what is computed, as a buffer may too
};

class ParameterRoles {
public:
  /// Initializers are the graph's parameters. Its output "loss" is the loss, where there is one.
  explicit ParameterRoles(const Graph &graph);

  ParameterRole of(ValueId initializer) const;

private:
  /// How surely a use is a parameter's: a table that scales may be a mask, or hold rotations.
  enum class Strength : uint8_t { None, Scales, Sure };

  void findEmbeddings(NodeId id);
  void findGradients(NodeId id);
  bool isEmbedding(const Node &node) const;
  Strength strengthOf(Use use, int depth) const;
  Strength strengthOfFactor(Use use, int depth) const;
  Strength strengthOfFormula(Use use) const;
  bool isNumber(ValueId value) const;
  bool isFormulaOfOne(ValueId value, int depth) const;
  bool isBiasOfOne(Use use, int depth) const;
  bool becomesAngle(ValueId value, int depth) const;
  bool isScaleOfNone(ValueId id) const;
  bool isAdded(ValueId rows, int depth) const;
  bool isNormalised(ValueId value, int depth) const;
  bool isProductOfInputs(ValueId value, int depth) const;
  bool feedsSoftmax(ValueId value, int depth) const;
  bool isTable(ValueId value) const;
  bool onlyScales(ValueId rows, int depth) const;
  bool isVector(ValueId value, ValueId result, int depth) const;
  bool weighsLoss(ValueId value, int depth) const;
  bool isRotation(ValueId initializer) const;
  bool onlyIsFactor(ValueId value, int depth) const;
  bool isTerm(ValueId value, int depth) const;

  const Graph &g_;
  // By ValueId:
  std::vector<bool> dependsOnInput_, isEmbedding_;
  std::vector<bool> isLearned_;    ///< depends on an initializer
  std::vector<bool> hasGradient_;  ///< the loss depends on it smoothly
  std::vector<bool> isLinear_;     ///< and linearly, the rest fixed
  std::vector<Strength> strength_; ///< what a gradient would change for the better
};

} // namespace autotp
