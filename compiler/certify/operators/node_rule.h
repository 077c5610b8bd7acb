/// \file One kernel call as a part of one operator of the global graph: equal indices hold equal lists, what is summed
/// and not all here leaves a pending sum, and constants are the claimed part of the graph's.
#pragma once

#include "compiler/certify/moves/moves.h"
#include "runtime/plan/plan.pb.h"

namespace autotp {

/// An operand of a step: its content (null where it has no elements) in this local shape.
struct OperandRead {
  const Content *content = nullptr;
  Sizes shape;
  DType dtype = DType::F32;
};

class NodeRule {
public:
  NodeRule(const GlobalValues &values, IndexLists &lists, Contributions &contributions, ContentStore &store,
           Moves &moves)
      : values_(values), lists_(lists), contributions_(contributions), store_(store), moves_(moves) {}

  /// What the call's results hold, or none: then `why` says what does not fit.
  std::vector<const Content *> prove(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads, std::string &why);

private:
  /// All operators of which the call may be a part, the likeliest first.
  llvm::SmallVector<unsigned, 4> candidates(KernelId kernel, llvm::ArrayRef<OperandRead> reads, std::string &why) const;
  std::vector<const Content *> attempt(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads, unsigned node,
                                       std::string &why);
  std::vector<const Content *> proveOf(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads,
                                       std::string &why);

  const GlobalValues &values_;
  IndexLists &lists_;
  Contributions &contributions_;
  ContentStore &store_;
  Moves &moves_;
};

/// Whether an operator is linear in operand `k`, the others fixed.
bool isLinear(const GlobalNode &node, unsigned k);

} // namespace autotp
