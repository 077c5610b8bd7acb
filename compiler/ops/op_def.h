/// \file One row of the operator table holds all facts of an operator.
#pragma once

#include "compiler/ir/graph.h"
#include "runtime/plan/kernels/kernel_id.h"

#include "llvm/Support/Error.h"

#include <array>
#include <optional>

namespace autotp {

class AxisArena;
struct IndexTerms;

using Types = llvm::SmallVector<Type, 2>;

/// A node before it is made: what type inference, evaluation and the axis rule may look at.
struct OpCall {
  llvm::ArrayRef<Type> operands;
  const Attributes &attributes;
  llvm::ArrayRef<Type>
      results; ///< empty while types are inferred, unless the caller states a type (reshape, expand, cast, full)
};

/// A node as the call of its operator, with copies of the types of its operands and results.
class NodeCall {
public:
  NodeCall(const Graph &graph, const Node &node);
  /// Refers to this object and to the node's attributes.
  OpCall call() const { return {operands_, attributes_, results_}; }

private:
  llvm::SmallVector<Type, 6> operands_;
  llvm::SmallVector<Type, 3> results_;
  const Attributes &attributes_;
};

/// A set of operands: bit k for operand k.
using OperandSet = uint16_t;
constexpr OperandSet kEveryOperand = 0xffff;
constexpr OperandSet operand(unsigned k) { return OperandSet(1u << k); }

/// The float type in which an operator runs if parameters and activations are bf16 or f16.
enum class Precision : uint8_t {
  Follows, ///< that of its operands: low if one of them is
  Low,     ///< bf16 or f16, with sums in f32: products
  /// f32, between casts: softmax, losses, sums, and functions whose results leave the range of small floats
  Full,
};

class Builder;

/// Makes the gradients of a node's operands from those of its results. Each operand of floats gets one, which is zero
/// if the operator is constant in it; only integers and conditions get none (kNone). `dresults` is kNone for a result
/// on which the loss does not depend, but not for all results.
using GradientFn = void (*)(Builder &b, NodeId node, llvm::ArrayRef<ValueId> dresults,
                            llvm::MutableArrayRef<ValueId> doperands);
/// Errors say what is wrong with the types of the operands, without naming the node.
using InferFn = llvm::Expected<Types> (*)(const OpCall &call);
/// Computes with plain loops in double; the caller rounds to the dtypes of the results.
using EvaluateFn = void (*)(const OpCall &call, llvm::ArrayRef<const Array *> operands,
                            llvm::MutableArrayRef<Array> results);
/// Makes the indices of all dimensions, if they depend on attributes or shapes and no text can state them.
using AxisRuleFn = IndexTerms (*)(AxisArena &arena, const OpCall &call);
/// Which bytes result 0 of an operator can share with its operands, so that nothing has to be copied.
enum class Sharing : uint8_t {
  None,
  ResultInOperand,  ///< the result is some bytes of operand 0 (reshape, a slice of the outermost dimension)
  OperandsInResult, ///< each operand is some bytes of the result (a concat along the outermost dimension)
};
/// Where the bytes begin, in those of the other; no value if they do not lie side by side, so that they are copied.
using SharedAtFn = std::optional<uint64_t> (*)(const OpCall &call, unsigned operand);
/// How many elements of dimension `dim` of operand 0, before index `index` of the whole, a tp rank holds.
using HeldBefore = llvm::function_ref<int64_t(size_t dim, int64_t index)>;
/// Changes the attributes of an operator to those that it has on a tp rank's part of its operand 0. `result` is the type
/// of the rank's result.
using OnPartFn = void (*)(Attributes &attributes, HeldBefore heldBefore, const Type &result);
/// Floating-point operations of one execution. A null function counts as 0.
using CostFn = double (*)(const OpCall &call);

enum class Reduction : uint8_t { None, Sum, Max };

/// Up to three operands of a FusedOp: operand k of the fused operator, or resultOf(i).
class FusedOperands {
public:
  constexpr FusedOperands(std::initializer_list<uint8_t> all) {
    for (uint8_t one : all)
      operands_[count_++] = one;
  }
  constexpr const uint8_t *begin() const { return operands_.data(); }
  constexpr const uint8_t *end() const { return operands_.data() + count_; }

private:
  std::array<uint8_t, 3> operands_ = {};
  uint8_t count_ = 0;
};
constexpr uint8_t kFirstResult = 64;
/// Result 0 of the i-th operator that a fused operator stands for.
constexpr uint8_t resultOf(uint8_t i) { return uint8_t(kFirstResult + i); }

/// One of the operators that a fused operator stands for, in order. The result of an earlier step may be read in
/// another shape: that of the step's own result, if the fused operator states one.
struct FusedOp {
  const char *op;
  FusedOperands operands;
  bool commutes = false;                            ///< whether its operands may be exchanged
  std::array<const char *, 2> passed = {};          ///< attributes of the fused operator that it has as well
  Attributes (*own)(const OpCall &whole) = nullptr; ///< its other attributes
  /// In a formula: how ranks with parts of the sharded index all-reduce its result.
  Reduction reduce = Reduction::None;
};

struct OpDef {
  const char *name;
  const char *axes = nullptr; ///< index text (compiler/axes/index_text.h); null if axisRule is set
  AxisRuleFn axisRule = nullptr;
  /// The operands in which the operator is linear if the others stay fixed: its result may be Partial if one of them is.
  OperandSet linearIn = 0;
  /// Whether it is linear in all operands together (add, concat): then all of them may be Partial, and one that is not
  /// must count once.
  bool isAdditive = false;
  bool hasLinear(unsigned operand) const { return linearIn == kEveryOperand || linearIn >> operand & 1; }
  InferFn infer = nullptr;
  EvaluateFn evaluate = nullptr;
  GradientFn gradient = nullptr;
  CostFn flops = nullptr;
  KernelId kernel = KernelId::None;
  /// Fewest and most (INT8_MAX: any number); -1: as its kernel's signature says.
  std::array<int8_t, 2> operands = {-1, -1};
  Precision precision = Precision::Follows;
  uint8_t fullOperands = 0; ///< bits of operands that are f32 even if the operator runs in small floats
  uint8_t fullResults = 0;  ///< the same of results: statistics
  uint8_t savedResults = 0; ///< bits of results that serve the gradient alone; nothing differentiates through them
  Sharing sharing = Sharing::None;
  OnPartFn onPart = nullptr;     ///< null: its attributes are the same on a part
  SharedAtFn sharedAt = nullptr; ///< null: the bytes begin where those of the other do
  bool isView() const { return sharing == Sharing::ResultInOperand && kernel == KernelId::None; } ///< never copied
  bool isCollective = false; ///< a collective: all members of its group run it, or none
  bool mayReuse = false;     ///< result 0 may take the memory of operand 0 if nothing else needs that operand
  /// Result i always has the memory of this operand; -1: memory of its own.
  std::array<int8_t, 3> inPlace = {-1, -1, -1};
  /// The names of the states of an update, which are its operands and results 1, 2..
  llvm::ArrayRef<llvm::StringLiteral> states = {};
  /// The operators that a fused operator stands for; its results are those of the last steps.
  llvm::ArrayRef<FusedOp> fused = {};
  /// How an operator is computed if an index that it needs within (IndexTerms::within), or its classes, are sharded.
  /// The results of the last step are the operator's.
  llvm::ArrayRef<FusedOp> formula = {};
};

/// The row named `name`, or null.
const OpDef *findOp(llvm::StringRef name);
/// The row of a node, which must exist; the verifier checks that.
const OpDef &opOf(const Node &node);
/// Estimated floating-point operations of one execution; 0 if the row has no estimate.
double flopsOf(const Graph &graph, const Node &node);
/// Whether an operator of `operands` operands is linear in operand `operand` while the others are fixed: its row says
/// so, and it does not round floats (`from`) to integers (`to`).
bool isLinearIn(const OpDef &row, unsigned operand, DType from, DType to);
/// The same for operand `operand` of a node.
bool isLinearIn(const Graph &graph, const Node &node, unsigned operand);
/// Gives an error if the operator cannot have so many operands. All other functions of a row rely on their number.
llvm::Error checkOperandCount(const OpDef &row, size_t operands);
/// All rows, by name.
llvm::ArrayRef<const OpDef *> allOps();

/// Adds nodes to a graph, before `before` or at its end, with types inferred from the operator's row.
class Builder {
public:
  explicit Builder(Graph &graph, NodeId before = kNone) : graph(graph), before(before) {}

  /// Adds a node of one result. The operands must fit the operator; a mistake is a bug of the caller and asserts.
  ValueId make(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Attributes attributes = {});
  llvm::SmallVector<ValueId, 2> makeMany(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                         Attributes attributes = {});
  /// The same for operators whose result type is stated: reshape, expand, cast, full.
  ValueId makeTyped(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, const Type &result,
                    Attributes attributes = {});
  /// The same, but a mistake is an error, for nodes that come from a file. `stated` may be empty.
  llvm::Expected<llvm::SmallVector<ValueId, 2>> tryMake(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                                        Attributes attributes, llvm::ArrayRef<Type> stated);

  ValueId scalar(DType dtype, double value) { return graph.addConstant("c", scalarTensor(dtype, value)); }
  ValueId reshape(ValueId x, Shape shape);
  ValueId transpose(ValueId x, llvm::ArrayRef<int64_t> perm);
  ValueId slice(ValueId x, int64_t axis, int64_t start, int64_t length);
  /// Sums `x` over the dimensions to which `shape` was broadcast.
  ValueId sumTo(ValueId x, llvm::ArrayRef<int64_t> shape);
  ValueId full(const Type &type, double value) { return makeTyped("full", {}, type, {{"value", value}}); }

  Graph &graph;
  NodeId before;
  std::string origin;
  bool backward = false;
};

} // namespace autotp
