/// \file The role of each float initializer in the dataflow: what the graph alone says about whether it is trained.
/// Trained: an operand of a product whose other operand depends on an input; the table of a lookup; the scale or bias
/// of a norm; a vector that scales, is added to, or replaces (where) a dimension of a learned value; a table that is
/// added to embeddings (values that only lookups and their sums gave), or that scales a learned value; the bias of a
/// product with one column; and an initializer from which a formula without inputs computes such an operand: reshapes
/// and casts, sums of products, a norm.
/// Constant: masks and rotation tables, by their contents (known_tables.h); addends of scores and frequencies of sines;
/// weights of the terms of a loss; single numbers; the ones that an exporter gives to norms without a scale; and
/// whatever no gradient reaches.
/// All others are Unknown.
#pragma once

#include "compiler/ir/graph.h"

namespace autotp {

struct ParameterRole {
  enum class Kind : uint8_t { Unknown, Trained, Constant };
  Kind kind = Kind::Unknown;
  llvm::StringRef why;    ///< such as "a mask"; in static storage
  bool isNumber = false;  ///< constant only because it is a single number
  bool isUniform = false; ///< constant only because all its elements are one number
  bool isFactor = false;  ///< trained only because it scales a computed value, which a buffer may do too
};

class ParameterRoles {
public:
  /// The initializers must be the parameters of the graph, and its loss the output "loss", if there is one.
  explicit ParameterRoles(const Graph &graph);

  /// The role of an initializer. It is Unknown if nothing in the graph decides.
  ParameterRole of(ValueId initializer) const;

private:
  /// How surely a use is that of a parameter. A table that only scales may be a mask, or hold rotations.
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

  const Graph &graph_;
  // By ValueId:
  std::vector<bool> dependsOnInput_, isEmbedding_;
  std::vector<bool> isLearned_;    ///< whether it depends on an initializer
  std::vector<bool> hasGradient_;  ///< whether the loss depends on it differentiably
  std::vector<bool> isLinear_;     ///< whether the loss is linear in it while all else is fixed
  std::vector<Strength> strength_; ///< how surely it is trained, by its uses
};

} // namespace autotp
