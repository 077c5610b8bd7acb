/// \file One kernel call as a part of one operator of the global graph: equal indices hold equal lists, what is summed
/// and not all here leaves a Partial sum, and constants are the claimed part of the graph's.
#pragma once

#include "compiler/certify/values/ids.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

class ConstantParts;
struct Content;
struct GlobalNode;
struct Symbols;

/// What an operand of a call holds, in this local shape. The content is null if there are no elements.
struct OperandRead {
  const Content *content = nullptr;
  Sizes shape = {};
  DType dtype = DType::F32;
};
using Reads = llvm::ArrayRef<OperandRead>;
/// What the results of a call hold. A content is null if the result has no elements.
using Results = std::vector<const Content *>;

class OperatorRule {
public:
  OperatorRule(Symbols &symbols, ConstantParts &constants) : symbols_(symbols), constants_(constants) {}

  /// Finds what the results of a call hold. Fails if the call is no part of any operator, and says what does not fit the
  /// likeliest one.
  llvm::Expected<Results> prove(const plan::KernelCall &call, Reads reads);

private:
  llvm::Expected<Results> proveAsRead(const plan::KernelCall &call, Reads reads);
  llvm::Expected<Results> proveAs(unsigned node, const plan::KernelCall &call, Reads reads);
  llvm::SmallVector<unsigned, 4> candidates(const plan::KernelCall &call, Reads reads) const;
  llvm::Error nobodyReads(Reads reads) const;

  Symbols &symbols_;
  ConstantParts &constants_;
};

/// Says whether an operator is linear in operand `k`, the others fixed.
bool isLinear(const GlobalNode &node, unsigned k);

} // namespace autotp
