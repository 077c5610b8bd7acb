/// \file Operators that are composed of others: the functions of a model, and those that the ONNX standard defines.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"

#include <onnx/onnx_pb.h>

#include <map>
#include <optional>

namespace autotp {

onnx::TypeProto typeProto(const Type &type);

/// The bodies of functions, instantiated for a call. Keeps a reference to the model.
class Functions {
public:
  explicit Functions(const onnx::ModelProto &model);

  /// The model's own function that `call` names, or null.
  const onnx::FunctionProto *ofModel(const onnx::NodeProto &call) const;
  /// Whether the standard defines this operator by a function.
  bool isDefinedByStandard(const onnx::NodeProto &call) const;
  /// The nodes of the function that `call` names, with its attributes bound, or nothing if there is no such function.
  /// `operands` are the types of the operands in order, empty for a missing one, since bodies of the standard may
  /// depend on them.
  llvm::Expected<std::optional<onnx::FunctionProto>> bodyOf(const onnx::NodeProto &call,
                                                            const std::vector<onnx::TypeProto> &operands) const;

  /// The bytes of a body of the model's own, which a call copies.
  double bytesOf(const onnx::FunctionProto &function) const { return bytes_.lookup(&function); }

private:
  const onnx::ModelProto &model_;
  std::map<std::string, int64_t> versions_; ///< versions of operator sets, by domain
  std::map<std::string, const onnx::FunctionProto *> functions_;
  llvm::DenseMap<const onnx::FunctionProto *, double> bytes_; ///< only looked up
};

} // namespace autotp
