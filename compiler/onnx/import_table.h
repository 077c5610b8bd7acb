/// \file How ONNX operators are built from ours: one row an operator, one family a file.
#pragma once

#include "compiler/ops/op_def.h"

#include <onnx/onnx_pb.h>

namespace autotp {

/// What an import function sees of its node, and makes of it. Types and attributes come from a file: every mistake is
/// an error that names the node.
class NodeImport {
public:
  NodeImport(Graph &graph, const onnx::NodeProto &proto, llvm::ArrayRef<ValueId> operands, int64_t opset,
             std::string name);

  size_t numOperands() const { return operands_.size(); }
  bool has(size_t k) const { return k < operands_.size() && operands_[k] != kNone; }
  ValueId operator[](size_t k) const { return operands_[k]; }
  const Type &type(size_t k) const { return graph_.type(operands_[k]); }
  int64_t opset() const { return opset_; }
  size_t numResults() const { return size_t(proto_.output_size()); }
  const onnx::NodeProto &proto() const { return proto_; }

  int64_t integer(llvm::StringRef name, int64_t otherwise) const;
  double real(llvm::StringRef name, double otherwise) const;
  std::string text(llvm::StringRef name, llvm::StringRef otherwise) const;
  std::optional<std::vector<int64_t>> integers(llvm::StringRef name) const;
  const onnx::TensorProto *tensor(llvm::StringRef name) const;

  /// The integers of an operand that is known now.
  llvm::Expected<std::vector<int64_t>> constantIntegers(size_t k) const;
  /// Its contents, where it is a constant that is no parameter to be.
  const Tensor *constant(ValueId value) const;
  /// `axis`, counted from the end where negative; an error where there is no such dimension.
  llvm::Expected<int64_t> axis(int64_t axis, size_t rank) const;

  /// Builds one of our nodes, folded where all its operands are constants. `stated`: see Builder::makeTyped.
  llvm::Expected<ValueId> make(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Attributes attributes = {},
                               llvm::ArrayRef<Type> stated = {});
  llvm::Expected<llvm::SmallVector<ValueId, 2>> makeMany(llvm::StringRef op, llvm::ArrayRef<ValueId> operands,
                                                         Attributes attributes = {}, llvm::ArrayRef<Type> stated = {});
  llvm::Expected<ValueId> reshape(ValueId x, llvm::ArrayRef<int64_t> shape);
  ValueId scalar(DType dtype, double value) { return graph_.addConstant("c", scalarTensor(dtype, value)); }
  ValueId integerConstant(llvm::ArrayRef<int64_t> values) { return graph_.addConstant("c", integerTensor(values)); }
  ValueId constantOf(Tensor tensor) { return graph_.addConstant("c", std::move(tensor)); }
  llvm::Error fail(const llvm::Twine &what, llvm::StringRef remedy = "") const;
  Graph &graph() { return graph_; }

  llvm::SmallVector<ValueId, 2> results; ///< what the import function leaves, one for each output

private:
  const onnx::AttributeProto *attribute(llvm::StringRef name) const;
  Graph &graph_;
  const onnx::NodeProto &proto_;
  llvm::ArrayRef<ValueId> operands_;
  int64_t opset_;
  std::string name_;
};

using ImportFn = llvm::Error (*)(NodeImport &node);

struct ImportDef {
  const char *domain, *name;
  ImportFn build;
};

llvm::ArrayRef<ImportDef> elementwiseImports();
llvm::ArrayRef<ImportDef> productImports();
llvm::ArrayRef<ImportDef> shapeImports();
llvm::ArrayRef<ImportDef> networkImports();
/// The row of an operator, or null.
const ImportDef *findImport(llvm::StringRef domain, llvm::StringRef name);

constexpr int64_t kMostElements = int64_t(1) << 40; ///< of any value
constexpr int64_t kMostFolded = int64_t(1) << 28;   ///< of a constant that importing makes: it is held in memory
/// The product of the dimensions, or nothing where one is negative or the product is more than `most`.
std::optional<int64_t> countElements(llvm::ArrayRef<int64_t> shape, int64_t most = kMostElements);

/// Its type, with a shape that is checked.
llvm::Expected<Type> typeOf(const onnx::TensorProto &proto);
/// Contents of a TensorProto, checked against its shape. `folder`: where external data lies.
llvm::Expected<Tensor> readTensor(const onnx::TensorProto &proto, llvm::StringRef folder);
llvm::Expected<DType> dtypeOf(int onnxType);

/// Unwraps an Expected inside an import function.
#define AUTOTP_TRY(target, expression)                                                                                 \
  auto target##OrError = (expression);                                                                                 \
  if (!target##OrError) return target##OrError.takeError();                                                            \
  auto target = std::move(*target##OrError)

} // namespace autotp
