/// \file What all rules of a proof share.
#pragma once

#include "compiler/certify/certify.h"
#include "compiler/certify/operators/node_rule.h"
#include "compiler/certify/rules/schedule_rule.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

struct Proof {
  Proof(const Graph &graph, const CertifyOptions &options);
  Proof(const Proof &) = delete;

  const Graph &graph;
  CertifyOptions options;
  IndexLists lists;
  GlobalValues values;
  Contributions contributions;
  ContentStore store;
  Moves moves;
  NodeRule nodes;
  ScheduleRule schedule;

  struct Parameter {
    RootId root;   ///< what the graph reads
    RootId master; ///< what is updated; the same where that is f32
    Type type;
    GlobalOperand gradient; ///< in f32
    Updates::Parameter update;
  };
  llvm::StringMap<Parameter> parameters;
  llvm::DenseMap<RootId, const Parameter *> parameterOf; ///< by master
  GlobalOperand lossSum, count;
  std::optional<RootId> gradientScale; ///< what gradients are multiplied by, of f16

  enum class Step : uint8_t { Accumulate, SumOverDp, Update };
  /// The same content after a step that keeps its elements; null where it may not be done, or was done already.
  const Content *after(const Content *content, Step step);
  /// A pending sum whose parts are all here is whole.
  const Content *settled(const Content *content);
  /// Whether a content is all of this value, summed over micro-steps and dp.
  bool isStepSum(const Content &content, const GlobalOperand &value);
  /// Whether a content is this part of the gradient of `parameter`, ready for the update.
  bool isGradient(const Content &content, const Parameter &parameter, llvm::ArrayRef<ListId> held, std::string &why);
  bool isGradient(const Content &content, const Parameter &parameter, llvm::ArrayRef<ListId> held);
  /// The same of pieces that may be no boxes: `parameter` is of what memory holds of the parameter `row`.
  bool isGradient(Piece gradient, const Parameter &row, Piece parameter, std::string &why);
  /// What memory holds of these elements of a parameter, or of master weights, when a step begins: the same content on
  /// all coordinates, which share what each updates a part of.
  const Content *parameterContent(RootId root, llvm::ArrayRef<ListId> held);
  /// The parameters that updated master weights are rounded to; null where they are none of that dtype.
  const Content *rounded(const Content &masters, DType dtype);
  /// Whether a content is what gradients were multiplied by and summed over.
  bool isDivisor(const Content &content);
  /// As much of a piece, from its begin on, as is a box of its value; null where that is nothing.
  const Content *boxAt(const Piece &piece);
  /// Pieces one after the other as one content; null where they are no box of one value.
  const Content *together(llvm::ArrayRef<Piece> pieces);

private:
  llvm::DenseMap<std::pair<const Content *, unsigned>, const Content *> after_;
  ByteMap<const Content *> parameterContents_; ///< by root and lists
};

} // namespace autotp
