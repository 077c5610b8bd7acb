/// \file The families of the operator table, for the registry; and what their evaluators share.
#pragma once

#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

namespace autotp {

llvm::ArrayRef<OpDef> elementwiseOps();
llvm::ArrayRef<OpDef> matmulOps();
llvm::ArrayRef<OpDef> reduceOps();
llvm::ArrayRef<OpDef> movementOps();
llvm::ArrayRef<OpDef> lookupOps();
llvm::ArrayRef<OpDef> randomOps();
llvm::ArrayRef<OpDef> normOps();
llvm::ArrayRef<OpDef> attentionOps();
llvm::ArrayRef<OpDef> lossOps();
llvm::ArrayRef<OpDef> optimizerOps();
llvm::ArrayRef<OpDef> collectiveOps();

/// Types of an operator that keeps its first operand's type.
llvm::Expected<Types> inferSame(const OpCall &call);
/// The same, where all operands must have one type.
llvm::Expected<Types> inferAlike(const OpCall &call);
/// Zero for each operand of floats.
void zeroGradients(Builder &b, const Node &node, llvm::MutableArrayRef<ValueId> doperands);
/// An error where operand `k`, named `what`, has another shape.
llvm::Error checkShape(const OpCall &call, unsigned k, llvm::StringRef what, llvm::ArrayRef<int64_t> shape);
llvm::Error checkAlike(llvm::ArrayRef<Type> operands);
/// Types of an operator whose result type the caller states.
llvm::Expected<Types> inferStated(const OpCall &call);
llvm::Error typeProblem(const llvm::Twine &what);

/// Walks the elements of `shape` in row-major order; for each operand type gives the offset of the element that
/// broadcasting pairs with it.
class BroadcastWalk {
public:
  BroadcastWalk(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<Type> operands);
  bool next(); ///< false at the end
  int64_t index = 0;
  llvm::SmallVector<int64_t, 4> offsets;

private:
  Shape shape_, position_;
  llvm::SmallVector<Shape, 4> strides_;
};

/// numpy's broadcasting of shapes, or an error.
llvm::Expected<Shape> broadcastShapes(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);

} // namespace autotp
