#include "compiler/onnx/functions.h"

#include "compiler/onnx/import_table.h"
#include "runtime/base/error.h"

#include <onnx/defs/function.h>
#include <onnx/defs/schema.h>
#include <onnx/shape_inference/attribute_binder.h>

namespace autotp {
namespace {

std::string domainOf(const std::string &domain) { return domain == "ai.onnx" ? "" : domain; }

std::string idOf(const std::string &domain, const std::string &name, const std::string &overload) {
  return domainOf(domain) + "/" + name + "/" + overload;
}

/// Replaces references to attributes in the body by those of the call, or by their defaults.
void bindAttributes(const onnx::NodeProto &call, const onnx::OpSchema *schema, onnx::FunctionProto &body) {
  onnx::internal::AttributeMap given;
  const auto defaults = body.attribute_proto(); // a copy, since the map points into it
  for (const auto &attribute : defaults)
    given[attribute.name()] = &attribute;
  if (schema)
    for (const auto &[name, attribute] : schema->attributes())
      if (!attribute.default_value.name().empty()) given[name] = &attribute.default_value;
  for (const auto &attribute : call.attribute())
    given[attribute.name()] = &attribute;
  onnx::internal::AttributeBinder(given).VisitFunction(body);
}

} // namespace

onnx::TypeProto typeProto(const Type &type) {
  onnx::TypeProto proto;
  proto.mutable_tensor_type()->set_elem_type(onnxTypeOf(type.dtype));
  proto.mutable_tensor_type()->mutable_shape(); // also for a scalar, which has a shape without dimensions
  for (int64_t d : type.shape)
    proto.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(d);
  return proto;
}

Functions::Functions(const onnx::ModelProto &model) : model_(model) {
  for (const auto &opset : model.opset_import())
    versions_[domainOf(opset.domain())] = opset.version();
  for (const auto &function : model.functions())
    bytes_[functions_[idOf(function.domain(), function.name(), function.overload())] = &function] =
        double(function.ByteSizeLong());
}

const onnx::FunctionProto *Functions::ofModel(const onnx::NodeProto &call) const {
  auto at = functions_.find(idOf(call.domain(), call.op_type(), call.overload()));
  return at == functions_.end() ? nullptr : at->second;
}

static const onnx::OpSchema *schemaOf(const onnx::NodeProto &call, const std::map<std::string, int64_t> &versions) {
  auto version = versions.find(domainOf(call.domain()));
  if (version == versions.end()) return nullptr;
  return onnx::OpSchemaRegistry::Schema(call.op_type(), int(version->second), version->first);
}

bool Functions::isDefinedByStandard(const onnx::NodeProto &call) const {
  const onnx::OpSchema *schema = schemaOf(call, versions_);
  return schema && (schema->HasFunction() || schema->HasContextDependentFunction());
}

llvm::Expected<std::optional<onnx::FunctionProto>>
Functions::bodyOf(const onnx::NodeProto &call, const std::vector<onnx::TypeProto> &operands) const {
  std::optional<onnx::FunctionProto> body;
  const onnx::OpSchema *schema = nullptr;
  if (const onnx::FunctionProto *function = ofModel(call)) {
    body = *function;
  } else if (isDefinedByStandard(call)) {
    schema = schemaOf(call, versions_);
    int version = int(versions_.at(domainOf(call.domain())));
    body.emplace();
    if (const onnx::FunctionProto *fixed = schema->GetFunction(version, false)) {
      *body = *fixed;
    } else {
      onnx::FunctionBodyBuildContextImpl context(call, operands);
      if (!schema->BuildContextDependentFunction(context, *body, version))
        return problem("", "the standard's definition of it does not cover these operands and attributes");
    }
  }
  if (body) bindAttributes(call, schema, *body);
  return body;
}

} // namespace autotp
