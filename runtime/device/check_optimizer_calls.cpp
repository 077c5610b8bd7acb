// runtime/device/check_optimizer_calls.cpp: calls of what runs on flat f32 buckets.
#include "runtime/device/call_checks.h"

namespace autotp {
namespace {

llvm::Error expectFlat(const KernelCall &call, const TensorArg &tensor, int64_t elements, llvm::StringRef name) {
  if (llvm::Error error = expectDType(call, tensor, DType::F32, name)) return error;
  return expectElements(call, tensor, elements, name);
}

llvm::Error checkAccumulate(const KernelCall &call) {
  const auto &in = call.args.operands;
  return firstError([&] { return expectFlat(call, in[0], in[0].elements(), "the sum"); },
                    [&] { return expectFlat(call, in[1], in[0].elements(), "x"); },
                    [&] { return expectFlat(call, call.args.results[0], in[0].elements(), "the result"); });
}

llvm::Error checkSumSquares(const KernelCall &call) {
  const TensorArg &x = call.args.operands[0];
  if (llvm::Error error = expectFlat(call, x, x.elements(), "x")) return error;
  return expectFlat(call, call.args.results[0], 1, "the result");
}

llvm::Error checkGradScale(const KernelCall &call) {
  for (const auto *list : {&call.args.operands, &call.args.results})
    for (const TensorArg &scalar : *list)
      if (llvm::Error error = expectFlat(call, scalar, 1, "an operand or result")) return error;
  return llvm::Error::success();
}

/// (parameters, states.., gradients, scale, lr, count) -> (parameters, states..), in place.
llvm::Error checkUpdate(const KernelCall &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  for (size_t k = 0; k < in.size(); ++k) {
    const bool isScalar = k > out.size();
    if (llvm::Error error =
            expectFlat(call, in[k], isScalar ? 1 : in[0].elements(), isScalar ? "scale, lr or count" : "an operand"))
      return error;
  }
  for (size_t k = 0; k < out.size(); ++k)
    if (out[k].data != in[k].data) return mistake(call, "it works in place only");
  return llvm::Error::success();
}

llvm::Error checkLossScale(const KernelCall &call) {
  for (const auto *list : {&call.args.operands, &call.args.results})
    for (const TensorArg &tensor : *list) {
      const bool isState = &tensor == list->data();
      if (llvm::Error error = expectFlat(call, tensor, isState ? 3 : 1, isState ? "the state" : "a scalar"))
        return error;
    }
  if (call.args.results[0].data != call.args.operands[0].data) return mistake(call, "its state is in place only");
  return llvm::Error::success();
}

} // namespace

CallCheck optimizerCheckOf(KernelId kernel) {
  switch (kernel) {
  case KernelId::Accumulate:
    return checkAccumulate;
  case KernelId::SumSquares:
    return checkSumSquares;
  case KernelId::GradScale:
    return checkGradScale;
  case KernelId::LossScale:
    return checkLossScale;
  case KernelId::Adam:
  case KernelId::Adagrad:
  case KernelId::Momentum:
  case KernelId::Sgd:
    return checkUpdate;
  default:
    return nullptr;
  }
}

} // namespace autotp
