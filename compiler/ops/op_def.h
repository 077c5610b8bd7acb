/// \file What an operator is: one row of the operator table holds all facts of it.
#pragma once

#include "compiler/ir/graph.h"
#include "runtime/plan/kernel_id.h"

#include "llvm/Support/Error.h"

#include <array>

namespace autotp {

class AxisArena;
struct IndexTerms;

using Types = llvm::SmallVector<Type, 2>;

/// A node to be: what type inference, evaluation and the axis rule may look at.
struct OpCall {
  llvm::ArrayRef<Type> operands;
  const Attributes &attributes;
  llvm::ArrayRef<Type>
      results; ///< empty while inferring, unless the caller states a type (reshape, expand, cast, full)
};

/// In which operands an operator is linear, so that a pending sum may pass through it.
enum class Linearity : uint8_t {
  None,
  Each,     ///< in each operand alone (matmul, mul): only one of them may be Partial
  Together, ///< additive (add, sub, concat): all may be Partial; one that is not counts once
  First,    ///< in operand 0 only (div, gather's table)
  Last,     ///< in the arriving gradient only: the last operand, but for a mask that may follow it
};

/// In which floats an operator runs where parameters and activations are bf16 or f16.
enum class Precision : uint8_t {
  Follows, ///< in its operands': low where any of them is
  Low,     ///< in bf16 or f16, with sums in f32: products
  Full,    ///< in f32, between casts: norms, softmax, losses, sums, and functions that small floats leave too soon
};

class Builder;

/// Gradients of a node's operands from those of its results. Each operand of floats gets one, which is zero where the
/// operator is flat; only integers and conditions get none (kNone). `dresults` holds kNone for a result that the loss does
/// not need, but not for all.
using GradientFn = void (*)(Builder &b, NodeId node, llvm::ArrayRef<ValueId> dresults,
                            llvm::MutableArrayRef<ValueId> doperands);
/// Errors say what is wrong with the operands' types, without naming the node.
using InferFn = llvm::Expected<Types> (*)(const OpCall &call);
/// Plain loops in double; the caller rounds to the results' dtypes.
using EvaluateFn = void (*)(const OpCall &call, llvm::ArrayRef<const Array *> operands,
                            llvm::MutableArrayRef<Array> results);
/// The indices of every dimension, where they depend on attributes or shapes and no text can say them.
using AxisRuleFn = IndexTerms (*)(AxisArena &arena, const OpCall &call);
/// Floating-point operations of one execution; null: no estimate, which counts as 0.
using CostFn = double (*)(const OpCall &call);

/// One of the operators that another one stands for, in order.
/// What it reads of earlier steps may be seen in another shape: that of its own result, where the fused operator's says
/// so.
struct FusedStep {
  const char *op;
  std::array<int8_t, 2> operands;                   ///< of the whole; kStep + i: result 0 of step i; kNoOperand: none
  bool commutes = false;                            ///< its operands may stand in either order
  std::array<const char *, 2> passed = {};          ///< attributes of the whole that it has, too
  Attributes (*own)(const OpCall &whole) = nullptr; ///< its other attributes
  const char *reduce = nullptr; ///< of a formula: how ranks that hold parts of `within` join its results: "sum", "max"

  static constexpr int8_t kNoOperand = -1, kStep = 64;
};

struct OpDef {
  const char *name;
  const char *axes = nullptr; ///< index text, see compiler/axes/index_text.h; or axisRule
  AxisRuleFn axisRule = nullptr;
  Linearity linearity = Linearity::None;
  InferFn infer = nullptr;
  EvaluateFn evaluate = nullptr;
  GradientFn gradient = nullptr;
  CostFn flops = nullptr;
  KernelId kernel = KernelId::None;
  std::array<int8_t, 2> operands = {
      -1, -1}; ///< fewest and most (INT8_MAX: any number), where its kernel's row does not say one number
  Precision precision = Precision::Follows;
  uint8_t fullOperands = 0;    ///< bits of operands that are f32 even where the operator runs in small floats
  uint8_t savedResults = 0;    ///< bits of results that are there for the gradient alone: it has no rule for them
  int8_t gradientOperand = -1; ///< with Linearity::Last: which operand that is; -1: the last
  bool isView = false;         ///< the result is bytes of operand 0, under another shape (reshape, an outer slice)
  bool isCollective = false;   ///< a step of the communicator: all members of its group run it, or none
  bool mayReuse = false;       ///< result 0 may have the memory of operand 0 where nothing else needs that operand
  std::array<int8_t, 3> inPlace = {-1, -1, -1}; ///< result i always has the memory of this operand
  llvm::ArrayRef<FusedStep> steps = {}; ///< what a fused operator stands for; its results are those of the last steps
  /// What an operator with indices within (IndexTerms::within) is computed by where one of them is sharded.
  llvm::ArrayRef<FusedStep> formula = {};
};

/// The row named `name`, or null.
const OpDef *findOp(llvm::StringRef name);
/// The row of a node; the verifier has made sure that there is one.
const OpDef &opOf(const Node &node);
/// Estimated floating-point operations of one execution; 0 where the row has no estimate.
double flopsOf(const Graph &graph, const Node &node);
/// Whether an operator is linear in operand `operand` of `operands`, the others fixed: its row says so, and it does not
/// round floats (`from`) to integers (`to`).
bool isLinearIn(const OpDef &row, unsigned operand, size_t operands, DType from, DType to);
/// Whether a node is linear in operand `operand`, the others fixed: its row says so, and it does not round to integers.
bool isLinearIn(const Graph &graph, const Node &node, unsigned operand);
/// An error where an operator cannot have so many operands. Everything else of a row relies on the number.
llvm::Error checkOperandCount(const OpDef &row, size_t operands);
/// All rows, by name.
llvm::ArrayRef<const OpDef *> allOps();

/// Appends nodes to a graph, with types inferred from the operator's row.
class Builder {
public:
  explicit Builder(Graph &graph, NodeId before = kNone) : graph(graph), before(before) {}

  /// A node of one result. The types are right by construction: a mistake is ours, and asserts.
  ValueId make(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Attributes attributes = {});
  llvm::SmallVector<ValueId, 2> makeMany(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                         Attributes attributes = {});
  /// For operators whose result type is stated: reshape, expand, cast, full.
  ValueId makeTyped(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Type result, Attributes attributes = {});
  /// The same with errors as values, for what comes out of a file. `stated` may be empty.
  llvm::Expected<llvm::SmallVector<ValueId, 2>> tryMake(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                                        Attributes attributes, llvm::ArrayRef<Type> stated);

  ValueId scalar(DType dtype, double value) { return graph.addConstant("c", scalarTensor(dtype, value)); }
  ValueId reshape(ValueId x, Shape shape);
  ValueId transpose(ValueId x, llvm::ArrayRef<int64_t> perm);
  ValueId slice(ValueId x, int64_t axis, int64_t start, int64_t length);
  /// Sums `x` over what broadcasting had added to `shape`.
  ValueId sumTo(ValueId x, llvm::ArrayRef<int64_t> shape);
  ValueId full(Type type, double value) { return makeTyped("full", {}, std::move(type), {{"value", value}}); }

  Graph &graph;
  NodeId before;
  std::string origin;
  bool backward = false;
};

} // namespace autotp
