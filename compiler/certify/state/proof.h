/// \file What the rules know of the model and of what was asked for, the same for all tp ranks.
#pragma once

#include "compiler/certify/certify.h"
#include "compiler/certify/contents/symbols.h"
#include "compiler/certify/moves/constant_parts.h"
#include "compiler/certify/moves/joins.h"
#include "compiler/certify/operators/operator_rule.h"
#include "compiler/certify/state/schedule.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

/// What happens to a value in a step of training, beside what the graph computes. Its elements stay as they are.
enum class Change : uint8_t { Accumulate, SumOverDp, Update };

struct Proof {
  Proof(const Graph &graph, const CertifyOptions &options);
  Proof(const Proof &) = delete;

  const Graph &graph;
  CertifyOptions options;
  Symbols symbols;
  ConstantParts constants;
  Joins joins;
  OperatorRule operators;
  Schedule schedule;

  struct Parameter {
    RootId root;   ///< what the graph reads
    RootId master; ///< what is updated; the same if that is f32
    Type type;
    GlobalOperand gradient; ///< in f32
    Updates::Parameter update;
  };
  llvm::StringMap<Parameter> parameters;
  llvm::DenseMap<RootId, const Parameter *> parameterOf; ///< by master
  GlobalOperand lossSum, count;
  std::optional<RootId> gradientScale; ///< what gradients are multiplied by, of f16

  /// Returns the parameter whose master weights a content is a part of, or null.
  const Parameter *masterIn(const Content &content) const;
  /// Returns the content after a change; null if the change may not be done, or was done already.
  const Content *after(const Content *content, Change change);
  /// Returns a content as whole if it is a Partial sum of which all summands are here, else as it is.
  const Content *settled(const Content *content);
  /// Says whether a content is all of this value, summed over micro-steps and dp.
  bool isStepSum(const Content &content, const GlobalOperand &value);
  /// Says whether a content is all of this value, summed over micro-steps alone.
  bool isRankSum(const Content &content, const GlobalOperand &value);
  /// Says whether a content is what gradients were multiplied by and summed over.
  bool isDivisor(const Content &content);
  /// Returns what memory holds of these elements of a parameter, or of master weights, when a step begins. It is the same
  /// content on all tp ranks, which share what each updates a part of.
  const Content *parameterContent(RootId root, llvm::ArrayRef<ListId> held);
  /// Returns the parameters that updated master weights are rounded to; null if they are none of that dtype.
  const Content *rounded(const Content &masters, DType dtype);

  /// Fails unless a content is this part of the gradient of `parameter`, ready for the update.
  llvm::Error checkGradient(const Content &content, const Parameter &parameter, llvm::ArrayRef<ListId> held);
  /// Checks the same of pieces that may be no boxes. `held` is what memory holds of the parameter.
  llvm::Error checkGradient(Piece gradient, const Parameter &parameter, Piece held);
  /// Says whether elements are those of a parameter's gradient that belong to `held`, reduced or not.
  bool areOfGradient(const Elements &own, const Parameter &parameter, llvm::ArrayRef<ListId> held);

private:
  bool isAllOf(const Content &content, const GlobalOperand &value);
  bool isGradient(const Content &content, const Parameter &parameter, llvm::ArrayRef<ListId> held);

  llvm::DenseMap<std::pair<const Content *, unsigned>, const Content *> after_;
  ByteMap<const Content *> parameterContents_; ///< by root and lists
};

} // namespace autotp
