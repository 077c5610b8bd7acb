/// \file How ONNX operators are built from ours: one row an operator, one family a file.
#pragma once

#include "compiler/onnx/sequences.h"
#include "compiler/ops/op_def.h"

#include <onnx/onnx_pb.h>

namespace autotp {

class NodeImport;
using ImportFn = llvm::Error (*)(NodeImport &node);

struct ImportDef {
  const char *domain, *name;
  size_t leastOperands; ///< that must be there: `build` does not ask for these
  ImportFn build;
  uint8_t sequences = 0;   ///< bits of operands that may be sequences
  const char *limits = ""; ///< what of the standard's operator is refused, where a type does not say it
};

/// An operator of ONNX that has no row.
struct RefusalDef {
  const char *domain, *name;
  llvm::StringLiteral why;
};
llvm::ArrayRef<RefusalDef> allRefusals();
/// "" where no reason is known.
llvm::StringRef whyRefused(llvm::StringRef domain, llvm::StringRef name);

/// What an import function sees of its node, and makes of it. Types and attributes come from a file: every mistake is
/// an error that names the node.
class NodeImport {
public:
  /// `folder`: where external data lies.
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
  /// Whether PyTorch's exporter says that the node was a call of a function whose name begins so, such as "aten.clamp".
  bool comesFrom(llvm::StringRef function) const;

  /// Attributes. One of another kind than is asked for counts as absent, and is named by wrongAttribute().
  int64_t integer(llvm::StringRef name, int64_t otherwise);
  double real(llvm::StringRef name, double otherwise);
  std::string text(llvm::StringRef name, llvm::StringRef otherwise);
  std::optional<std::vector<int64_t>> integers(llvm::StringRef name);
  std::optional<std::vector<double>> reals(llvm::StringRef name);
  std::vector<std::string> texts(llvm::StringRef name);
  llvm::Expected<std::optional<Tensor>> tensor(llvm::StringRef name);
  /// Whether there is an attribute beyond these with another value than its default.
  bool saysMoreThan(llvm::ArrayRef<llvm::StringLiteral> known) const;
  llvm::StringRef wrongAttribute() const { return wrongAttribute_; }

  /// The integers of an operand that is known now.
  llvm::Expected<std::vector<int64_t>> constantIntegers(size_t k) const;
  llvm::Expected<std::vector<int64_t>> constantIntegersOr(size_t k, std::vector<int64_t> otherwise) const;
  /// Its contents, where it depends on no input, and on no initializer of more than a few numbers.
  const Tensor *constant(ValueId value) const;
  /// The same of an operand that says how the node works, so that its initializer is no parameter.
  const Tensor *constantOrInitializer(ValueId value) const;
  /// `axis`, counted from the end where negative; an error where there is no such dimension.
  llvm::Expected<int64_t> axis(int64_t axis, size_t rank) const;
  /// The one axis of the first operand that operand `k` says, a constant.
  llvm::Expected<int64_t> axisOperand(size_t k) const;

  /// Builds one of our nodes, folded where all its operands are constants. `stated`: see Builder::makeTyped.
  llvm::Expected<ValueId> make(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Attributes attributes = {},
                               llvm::ArrayRef<Type> stated = {});
  llvm::Expected<llvm::SmallVector<ValueId, 2>> makeMany(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                                         Attributes attributes = {}, llvm::ArrayRef<Type> stated = {});
  llvm::Expected<ValueId> reshape(ValueId x, llvm::ArrayRef<int64_t> shape);
  llvm::Expected<ValueId> slice(ValueId x, int64_t axis, int64_t start, int64_t length, int64_t step = 1);
  /// The elements of an operand that must be a sequence.
  llvm::Expected<llvm::ArrayRef<ValueId>> sequence(size_t k) const;
  ValueId addSequence(Sequences::Elements elements) { return sequences_.add(std::move(elements)); }
  ValueId scalar(DType dtype, double value) { return graph_.addConstant("c", scalarTensor(dtype, value)); }
  ValueId integerConstant(llvm::ArrayRef<int64_t> values) { return graph_.addConstant("c", integerTensor(values)); }
  ValueId constantOf(Tensor tensor) { return graph_.addConstant("c", std::move(tensor)); }
  /// A constant of one value throughout; an error where its shape is no shape, or too large.
  llvm::Expected<ValueId> filled(const Type &type, double value);
  llvm::Error fail(const llvm::Twine &what, llvm::StringRef remedy = "") const;
  /// The same of an error that does not say where it is.
  llvm::Error fail(llvm::Error error) const;
  /// Leaves the node to the standard's own definition of its operator.
  llvm::Error decline() {
    results.clear();
    isDeclined_ = true;
    return llvm::Error::success();
  }
  bool isDeclined() const { return isDeclined_; }
  /// Adds the next result, or says why there is none.
  llvm::Error result(llvm::Expected<ValueId> value);
  Graph &graph() { return graph_; }

  llvm::SmallVector<ValueId, 2> untrained; ///< operands that are no parameters, by what the node does with them
  std::string note;                        ///< what the user should know of the model because of this node
  llvm::SmallVector<ValueId, 2> results;   ///< what the import function leaves, one for each output

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
/// All rows.
llvm::ArrayRef<const ImportDef *> allImports();
/// The row of an operator, or null.
const ImportDef *findImport(llvm::StringRef domain, llvm::StringRef name);

constexpr int64_t kMostElements = int64_t(1) << 40; ///< of any value
constexpr int64_t kMostFolded = int64_t(1) << 28;   ///< of a constant that importing makes: it is held in memory
/// The product of the dimensions, or nothing where one is negative or the product is more than `most`.
std::optional<int64_t> countElements(llvm::ArrayRef<int64_t> shape, int64_t most = kMostElements);

/// Its type, with a shape that is checked. Errors here and below name no place: the caller knows it.
llvm::Expected<Type> typeOf(const onnx::TensorProto &proto);
/// Contents of a TensorProto, checked against its shape. `folder`: where external data lies.
llvm::Expected<Tensor> readTensor(const onnx::TensorProto &proto, llvm::StringRef folder);
llvm::Expected<DType> dtypeOf(int onnxType);
int onnxTypeOf(DType dtype);

} // namespace autotp
