/// \file Adds nodes and constants to an ONNX graph. A node has one result, and the result's name.
#pragma once

#include "llvm/ADT/ArrayRef.h"

#include <onnx/onnx_pb.h>

#include <set>
#include <string>

namespace autotp {

onnx::AttributeProto intAttribute(const char *name, int64_t value);
onnx::AttributeProto intsAttribute(const char *name, llvm::ArrayRef<int64_t> values);
onnx::AttributeProto floatAttribute(const char *name, float value);
onnx::AttributeProto textAttribute(const char *name, const char *value);

class GraphWriter {
public:
  using Attributes = llvm::ArrayRef<onnx::AttributeProto>;
  explicit GraphWriter(onnx::GraphProto &graph) : graph_(graph) {}

  /// Adds a node; returns the name of its result, which is `result`.
  std::string node(const char *op, std::string result, llvm::ArrayRef<std::string> operands,
                   Attributes attributes = {});

  /// Whether this is the first call with `name`, of something that several nodes share.
  bool isNew(const std::string &name) { return shared_.insert(name).second; }

  /// Constants: equal ones are one initializer.
  std::string number(float value);
  std::string integer(int64_t value);
  std::string integers(llvm::ArrayRef<int64_t> values);
  /// 0, 1, .. up to `count`, as floats. (Compilers compute with constant integers, and would then hold what follows.)
  std::string counting(const std::string &name, int64_t count);
  std::string table(std::string name, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values);

  /// A float initializer without contents yet; returns its index.
  int declare(const std::string &name, llvm::ArrayRef<int64_t> shape);

  void input(const std::string &name, llvm::ArrayRef<int64_t> shape);
  void scalarOutput(const std::string &name);

private:
  onnx::TensorProto *initializer(const std::string &name, int32_t type, llvm::ArrayRef<int64_t> shape);
  onnx::GraphProto &graph_;
  std::set<std::string> constants_, shared_;
};

} // namespace autotp
