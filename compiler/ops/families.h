/// \file The families of the operator table, for the registry, and what their evaluators share.
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

/// The types of an operator whose result has the type of the first operand.
llvm::Expected<Types> inferSame(const OpCall &call);
/// The same for an operator whose operands must all have one type.
llvm::Expected<Types> inferAlike(const OpCall &call);
/// Sets a gradient of zeros for each operand of floats.
void zeroGradients(Builder &b, const Node &node, llvm::MutableArrayRef<ValueId> doperands);
/// Gives an error if operand `k`, called `what` in the message, does not have this shape.
llvm::Error checkShape(const OpCall &call, unsigned k, llvm::StringRef what, llvm::ArrayRef<int64_t> shape);
llvm::Error checkAlike(llvm::ArrayRef<Type> operands);
/// The types that the caller states, for an operator that does not infer them.
llvm::Expected<Types> inferStated(const OpCall &call);
llvm::Error typeProblem(const llvm::Twine &what);

/// Walks over the elements of `shape` in row-major order. For each operand it gives the offset of the element that
/// broadcasting pairs with the current one.
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

/// The shape to which both broadcast by numpy's rules, or an error.
llvm::Expected<Shape> broadcastShapes(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);

} // namespace autotp
