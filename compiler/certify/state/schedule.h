/// \file Scalars of a step, followed through the schedule of updates.
#pragma once

#include "compiler/certify/contents/contents.h"
#include "runtime/plan/plan.pb.h"

namespace autotp {

struct Updates;

class Schedule {
public:
  explicit Schedule(const Updates &updates);

  /// Returns the input or state of this name; nothing if the schedule has none.
  std::optional<ValueId> source(ValueKind kind, llvm::StringRef name) const;
  /// Returns what a state holds in the next step.
  ValueId next(ValueId state) const;
  ValueId output(llvm::StringRef name) const { return graph_.output(name); }
  const Type &type(ValueId value) const { return graph_.type(value); }
  const Tensor &initial(ValueId state) const;
  /// Returns the next value of the state that `before` holds, if `after` holds it.
  std::optional<ValueId> nextOf(const Content *before, const Content *after) const;
  /// Says whether a content is this value: computed, given, or the same constant.
  bool holds(const Content *content, ValueId value) const;
  /// Returns the value that a call computes from what its operands hold; nothing if no node of the schedule does that.
  std::optional<ValueId> resultOf(const plan::KernelCall &call, llvm::ArrayRef<const Content *> operands) const;

private:
  ValueId root(ValueId value) const; ///< through views
  bool isNode(const Node &node, const plan::KernelCall &call, llvm::ArrayRef<const Content *> operands) const;

  const Updates &updates_;
  const Graph &graph_;
};

} // namespace autotp
