/// \file Fills the graph's weights from a file, in two steps around retie-weights.
///   fillFrozen   after classify-parameters: what is frozen is a constant, so its numbers are read into the graph before
///                anything is folded
///   finish       after retie-weights: the tensor of each parameter that is trained. They are read when the plan is written
/// What the compiler decides by contents is decided by those of the graph, so the file changes nothing else.
#pragma once

#include "passes/import/match_weights.h"

#include <set>

namespace autotp {

struct ParameterInfo;
struct Value;

class WeightFilling {
public:
  /// What is said of a file beside its name.
  struct Said {
    WeightLayout layout;
    llvm::StringRef ignored; ///< a valid regular expression: names of tensors that may fill nothing; empty: none
  };

  /// `initializers` are all that may be parameters, `frozen` the names of parameters that are not trained.
  WeightFilling(const Graph &graph, llvm::ArrayRef<ValueId> initializers, const StoredWeights &stored, const Said &said,
                std::map<std::string, WeightOrigin> origins);

  /// Errors, all at once: see WeightFault; those of parameters that are trained too.
  llvm::Error fillFrozen(Graph &graph, llvm::ArrayRef<ValueId> initializers, const std::set<std::string> &frozen);

  /// The match of each parameter of the graph, by its name. With `mayShare`, parameters that the module ties may each be
  /// filled from one tensor. Errors, all at once: see WeightFault.
  llvm::Expected<std::map<std::string, WeightMatch>> finish(const Graph &graph, bool mayShare);

  /// Tensors that were passed over, since they are no weights: buffers of frequencies, positions and masks, the copy of a
  /// table to which the graph ties its head, and those that are to be ignored.
  size_t passedOver() const { return passedOver_; }
  /// Parameters that are taken as transposed because TorchScript gave them a new name, and for no other reason.
  size_t assumed() const { return assumed_; }
  const NamePrefix &prefix() const { return matched_.prefix; }

private:
  bool isIgnored(const StoredWeights::Tensor &tensor) const;
  llvm::Error checkKept(const Value &constant, const WeightMatch &match);
  llvm::Error findParameters(const Graph &graph, bool mayShare, std::map<std::string, WeightMatch> &found);
  llvm::Expected<WeightMatch> matchOf(const Graph &graph, const ParameterInfo &parameter);
  llvm::Error findUnused(const Graph &graph, const std::map<std::string, WeightMatch> &found);
  llvm::Expected<bool> isCopyOfTied(const Graph &graph, const std::map<std::string, WeightMatch> &found,
                                    const StoredWeights::Tensor &tensor) const;

  const StoredWeights &stored_;
  const std::string ignored_;
  const std::map<std::string, WeightOrigin> origins_;
  MatchedWeights matched_;
  WeightFaults faults_;
  size_t passedOver_ = 0, assumed_ = 0;
};

} // namespace autotp
