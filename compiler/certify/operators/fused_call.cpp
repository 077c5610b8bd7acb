#include "compiler/certify/operators/fused_call.h"

#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/refusal.h"
#include "compiler/ops/fused.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

plan::TensorRef refOf(const Type &type) {
  plan::TensorRef ref;
  ref.set_dtype(uint32_t(type.dtype));
  for (int64_t size : type.shape)
    ref.add_shape(size);
  return ref;
}

/// Returns the attributes that its steps have from it. Fails if the call has others, or lacks one.
llvm::Expected<Attributes> attributesOf(const OpDef &row, const plan::KernelCall &call) {
  Attributes attributes;
  for (const FusedOp &op : row.fused)
    for (const char *name : op.passed)
      if (name) {
        const plan::Attribute *given = attributeOf(call, name);
        if (!given || given->value_case() != plan::Attribute::kInteger)
          return refuse("it has no integer attribute '" + llvm::Twine(name) + "'");
        attributes.set(name, given->integer());
      }
  if (call.attributes_size() != int(attributes.all().size()))
    return refuse("it has attributes that the operator has not");
  return attributes;
}

plan::KernelCall callOf(const TypedOp &op) {
  plan::KernelCall call;
  call.set_kernel(uint32_t(op.row->kernel));
  for (const Type &type : op.operandTypes)
    *call.add_operands() = refOf(type);
  *call.add_results() = refOf(op.results[0]);
  for (const auto &[name, value] : op.attributes.all()) {
    plan::Attribute &attribute = *call.add_attributes();
    attribute.set_name(name);
    attribute.set_integer(std::get<int64_t>(value));
  }
  return call;
}

/// Tries both orders of the operands if that makes no difference.
llvm::Expected<Results> proveOp(const TypedOp &op, bool commutes, std::vector<OperandRead> reads, Compute compute) {
  plan::KernelCall call = callOf(op);
  auto results = compute(call, reads);
  if (results || !commutes) return results;
  call.mutable_operands()->SwapElements(0, 1);
  std::swap(reads[0], reads[1]);
  auto exchanged = compute(call, reads);
  if (!exchanged) {
    llvm::consumeError(exchanged.takeError()); // the first says how the graph has it, or just as little
    return results.takeError();
  }
  llvm::consumeError(results.takeError());
  return exchanged;
}

/// Returns the types that the call states of its results. Fails unless they are the operator's.
llvm::Expected<Types> resultTypes(const OpDef &row, const plan::KernelCall &call, llvm::ArrayRef<Type> operands,
                                  const Attributes &attributes) {
  Types stated;
  for (const plan::TensorRef &ref : call.results())
    stated.push_back({DType(ref.dtype()), Shape(ref.shape().begin(), ref.shape().end())});
  llvm::Expected<Types> wanted = row.infer(OpCall{operands, attributes, stated});
  if (wanted && !(*wanted == stated)) return refuse("its results are of other types than the operator's");
  return wanted;
}

} // namespace

llvm::Expected<Results> proveFused(const OpDef &row, const plan::KernelCall &call, Reads reads, Compute compute) {
  llvm::Expected<Attributes> attributes = attributesOf(row, call);
  if (!attributes) return attributes.takeError();
  Types operands;
  for (const OperandRead &read : reads)
    operands.push_back({read.dtype, Shape(read.shape.begin(), read.shape.end())});
  llvm::Expected<Types> results = resultTypes(row, call, operands, *attributes);
  if (!results) return results.takeError();
  std::vector<OperandRead> known(reads.begin(), reads.end());
  for (auto [i, op] : indexed(llvm::cantFail(typedOps(row.fused, operands, *attributes, *results)))) {
    std::vector<OperandRead> own;
    for (auto [k, operand] : indexed(op.operands)) {
      const Shape &seen = op.operandTypes[k].shape;
      own.push_back({known[operand].content, Sizes(seen.begin(), seen.end()), known[operand].dtype});
    }
    auto made = proveOp(op, row.fused[i].commutes, std::move(own), compute);
    if (!made) return made.takeError();
    const Type &result = op.results[0];
    known.push_back({(*made)[0], Sizes(result.shape.begin(), result.shape.end()), result.dtype});
  }
  Results held;
  for (const OperandRead &read : Reads(known).take_back(size_t(call.results_size())))
    held.push_back(read.content);
  return held;
}

} // namespace autotp
