/// \file Operators that are made of others: functions that a model brings, and those that the ONNX standard defines.
#pragma once

#include "compiler/ir/graph.h"

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

  /// Of the model itself, or null.
  const onnx::FunctionProto *ofModel(const onnx::NodeProto &call) const;
  /// Whether the standard says of this operator how it is made of others.
  bool isDefinedByStandard(const onnx::NodeProto &call) const;
  /// The nodes of the function that `call` names, its attributes bound; nothing where there is no such function. The
  /// standard's bodies may depend on the operands' types, in order; that of a missing operand is empty.
  llvm::Expected<std::optional<onnx::FunctionProto>> bodyOf(const onnx::NodeProto &call,
                                                            const std::vector<onnx::TypeProto> &operands) const;

private:
  const onnx::ModelProto &model_;
  std::map<std::string, int64_t> versions_; ///< of operator sets, by domain
  std::map<std::string, const onnx::FunctionProto *> functions_;
};

} // namespace autotp
