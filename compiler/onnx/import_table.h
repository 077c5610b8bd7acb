/// \file How ONNX operators are built from ours: one row an operator, one family a file.
#pragma once

#include "compiler/onnx/sequences.h"
#include "compiler/ops/op_def.h"
#include "runtime/plan/located_tensor.h"

#include <onnx/onnx_pb.h>

namespace autotp {

class NodeImport;
using ImportFn = llvm::Error (*)(NodeImport &node);

struct ImportDef {
  const char *domain, *name;
  size_t leastOperands; ///< the number of operands that are checked to be there before `build` is called
  ImportFn build;
  uint8_t sequences = 0;   ///< bits of operands that may be sequences
  const char *limits = ""; ///< for docs/operators.md: what is refused, as far as types do not say it
};

/// An operator of ONNX that has no row, and the reason.
struct RefusalDef {
  const char *domain, *name;
  llvm::StringLiteral why;
};
llvm::ArrayRef<RefusalDef> allRefusals();
/// The reason why an operator has no row; empty if none is known.
llvm::StringRef whyRefused(llvm::StringRef domain, llvm::StringRef name);

/// What an import function sees of its node, and the results that it makes. Types and attributes come from a file, so
/// every mistake is an error that names the node.
class NodeImport {
public:
  /// `folder` is the folder in which external data lies.
  NodeImport(const ImportDef &row, Graph &graph, Sequences &sequences, const onnx::NodeProto &proto,
             llvm::ArrayRef<ValueId> operands, llvm::StringRef folder, std::string name);

  llvm::ArrayRef<ValueId> operands() const { return operands_; }
  bool hasMoreThanLeast() const { return operands_.size() > row_.leastOperands; }
  size_t numOperands() const { return operands_.size(); }
  bool has(size_t k) const { return k < operands_.size() && operands_[k] != kNone; }
  ValueId operator[](size_t k) const { return operands_[k]; }
  const Type &type(size_t k) const { return graph_.type(operands_[k]); }
  size_t numResults() const { return size_t(proto_.output_size()); }
  const onnx::NodeProto &proto() const { return proto_; }
  /// Whether PyTorch's exporter says that the node belongs to a call of a function with this prefix, such as
  /// "aten.clamp".
  bool comesFrom(llvm::StringRef function) const;

  /// Attributes. One of another kind than asked for counts as absent, and wrongAttribute() names it.
  int64_t integer(llvm::StringRef name, int64_t otherwise);
  double real(llvm::StringRef name, double otherwise);
  std::string text(llvm::StringRef name, llvm::StringRef otherwise);
  std::optional<std::vector<int64_t>> integers(llvm::StringRef name);
  std::optional<std::vector<double>> reals(llvm::StringRef name);
  std::vector<std::string> texts(llvm::StringRef name);
  llvm::Expected<std::optional<Tensor>> tensor(llvm::StringRef name);
  /// Whether the node has an attribute other than `known` whose value is not its default.
  bool saysMoreThan(llvm::ArrayRef<llvm::StringLiteral> known) const;
  llvm::StringRef wrongAttribute() const { return wrongAttribute_; }

  /// The integers of an operand that is known when compiling.
  llvm::Expected<std::vector<int64_t>> constantIntegers(size_t k) const;
  llvm::Expected<std::vector<int64_t>> constantIntegersOr(size_t k, std::vector<int64_t> otherwise) const;
  /// The contents of a value that depends on no input, and on no initializer of more than a few numbers; null
  /// otherwise, and if the budget does not suffice to look at them.
  const Tensor *constant(ValueId value) const;
  /// The contents of a constant or of an initializer of any size, null otherwise: for an operand that controls how the
  /// node works. No node of ours then reads the initializer, so it is no parameter.
  const Tensor *constantOrInitializer(ValueId value) const;
  /// `axis` as a dimension of `rank`, counted from the end if it is negative. Errors: there is no such dimension.
  llvm::Expected<int64_t> axis(int64_t axis, size_t rank) const;
  /// The axis of the first operand that operand `k`, a constant of one element, gives.
  llvm::Expected<int64_t> axisOperand(size_t k) const;

  /// Adds one of our nodes, and folds it if all its operands are constants. `stated`: see Builder::makeTyped.
  llvm::Expected<ValueId> make(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Attributes attributes = {},
                               llvm::ArrayRef<Type> stated = {});
  llvm::Expected<llvm::SmallVector<ValueId, 2>> makeMany(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                                         Attributes attributes = {}, llvm::ArrayRef<Type> stated = {});
  llvm::Expected<ValueId> reshape(ValueId x, llvm::ArrayRef<int64_t> shape);
  llvm::Expected<ValueId> slice(ValueId x, int64_t axis, int64_t start, int64_t length, int64_t step = 1);
  /// The elements of an operand, which must be a sequence.
  llvm::Expected<llvm::ArrayRef<ValueId>> sequence(size_t k) const;
  ValueId addSequence(Sequences::Elements elements) { return sequences_.add(std::move(elements)); }
  ValueId scalar(DType dtype, double value) { return graph_.addConstant("c", scalarTensor(dtype, value)); }
  ValueId integerConstant(llvm::ArrayRef<int64_t> values) { return graph_.addConstant("c", integerTensor(values)); }
  ValueId constantOf(Tensor tensor) { return graph_.addConstant("c", std::move(tensor)); }
  /// Errors: so many arrays of doubles of this shape, which the import function makes next, are more than the budget
  /// has left; or it is no shape.
  llvm::Error mustHold(llvm::ArrayRef<int64_t> shape, size_t arrays = 1) const;
  /// A constant with the same value in all elements. Errors: the shape is invalid or too large.
  llvm::Expected<ValueId> filled(const Type &type, double value);
  /// An error about this node, as a value that the import function returns.
  llvm::Error fail(const llvm::Twine &what, llvm::StringRef remedy = "") const;
  /// Names this node in an error that does not say where it is.
  llvm::Error fail(llvm::Error error) const;
  /// Leaves the node to the standard's own definition of its operator. Call it instead of making results.
  llvm::Error decline() {
    results.clear();
    isDeclined_ = true;
    return llvm::Error::success();
  }
  bool isDeclined() const { return isDeclined_; }
  /// Adds the next result, or passes its error on.
  llvm::Error result(llvm::Expected<ValueId> value);
  Graph &graph() { return graph_; }

  llvm::SmallVector<ValueId, 2> untrained; ///< operands that the node's use shows to be no parameters
  std::string note;                        ///< what the user should know about the model because of this node
  llvm::SmallVector<ValueId, 2> results;   ///< filled by the import function, one for each output

private:
  bool isConstant(ValueId value) const;
  bool foldNumbers(ValueId &value) const;
  const onnx::AttributeProto *attribute(llvm::StringRef name, onnx::AttributeProto::AttributeType type);
  std::string where() const;
  const ImportDef &row_;
  Graph &graph_;
  Sequences &sequences_;
  const onnx::NodeProto &proto_;
  llvm::ArrayRef<ValueId> operands_;
  llvm::StringRef folder_;
  std::string name_, wrongAttribute_;
  bool isDeclined_ = false;
};

llvm::ArrayRef<ImportDef> constantImports();
llvm::ArrayRef<ImportDef> elementwiseImports();
llvm::ArrayRef<ImportDef> productImports();
llvm::ArrayRef<ImportDef> shapeImports();
llvm::ArrayRef<ImportDef> networkImports();
llvm::ArrayRef<ImportDef> composedImports();
llvm::ArrayRef<ImportDef> lookupImports();
llvm::ArrayRef<ImportDef> einsumImports();
llvm::ArrayRef<ImportDef> convolutionImports();
llvm::ArrayRef<ImportDef> attentionImports();
llvm::ArrayRef<ImportDef> sequenceImports();
llvm::ArrayRef<ImportDef> normalisationImports();
llvm::ArrayRef<ImportDef> poolingImports();
llvm::ArrayRef<ImportDef> resizeImports();
llvm::ArrayRef<ImportDef> arithmeticImports();
llvm::ArrayRef<ImportDef> selectionImports();
llvm::ArrayRef<ImportDef> scatterImports();
llvm::ArrayRef<ImportDef> recurrentImports();
llvm::ArrayRef<ImportDef> trainingImports();
/// The rows of all families.
llvm::ArrayRef<const ImportDef *> allImports();
/// The row of an operator, or null.
const ImportDef *findImport(llvm::StringRef domain, llvm::StringRef name);

constexpr int64_t kMostElements = int64_t(1) << 40; ///< the most elements of any value
/// The product of the dimensions, or nothing if one is negative or the product is larger than `most`.
std::optional<int64_t> countElements(llvm::ArrayRef<int64_t> shape, int64_t most = kMostElements);

/// The type of a tensor, with a shape that was checked. Errors of this and the following functions do not say where;
/// the caller knows.
llvm::Expected<Type> typeOf(const onnx::TensorProto &proto);
/// The contents of a tensor, checked against its shape. `folder` is the folder in which external data lies.
llvm::Expected<Tensor> readTensor(const onnx::TensorProto &proto, llvm::StringRef folder);
/// Where a tensor's contents lie that has them in a file beneath `folder`. Errors: somewhere else; the file is shorter.
llvm::Expected<LocatedTensor> locateExternal(const onnx::TensorProto &proto, const Type &type, llvm::StringRef folder);
llvm::Expected<DType> dtypeOf(int onnxType);
int onnxTypeOf(DType dtype);

} // namespace autotp
