#include "runtime/plan/kernel_args.h"

namespace autotp {

KernelArgs kernelArgs(const plan::KernelCall &call) {
  KernelArgs args;
  auto shapeOf = [](const plan::TensorRef &tensor) {
    return TensorArg{nullptr, DType(tensor.dtype()), {tensor.shape().begin(), tensor.shape().end()}};
  };
  for (const plan::TensorRef &tensor : call.operands())
    args.operands.push_back(shapeOf(tensor));
  for (const plan::TensorRef &tensor : call.results())
    args.results.push_back(shapeOf(tensor));
  for (const plan::Attribute &a : call.attributes()) {
    if (a.has_integers())
      args.attributes.set(a.name(), std::vector<int64_t>(a.integers().values().begin(), a.integers().values().end()));
    else if (a.value_case() == plan::Attribute::kReal)
      args.attributes.set(a.name(), a.real());
    else
      args.attributes.set(a.name(), a.integer());
  }
  return args;
}

} // namespace autotp
