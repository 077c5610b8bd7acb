#include "runtime/device/checks.h"

#include "llvm/ADT/Twine.h"

namespace autotp {

namespace {
std::string textOf(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}
} // namespace

llvm::Error mistake(const KernelCall &call, const llvm::Twine &what) {
  return problem(("kernel " + nameOf(call.kernel)).str(), what.str());
}

llvm::Error expectCounts(const KernelCall &call, size_t leastOperands, size_t mostOperands, size_t results) {
  const size_t operands = call.args.operands.size();
  if (operands < leastOperands || operands > mostOperands)
    return mistake(call, "has " + llvm::Twine(operands) + " operands, expected " + llvm::Twine(leastOperands) +
                             (mostOperands > leastOperands ? " or more" : ""));
  if (call.args.results.size() != results)
    return mistake(call, "has " + llvm::Twine(call.args.results.size()) + " results, expected " + llvm::Twine(results));
  return llvm::Error::success();
}

llvm::Error expectDType(const KernelCall &call, const TensorArg &tensor, DType dtype, llvm::StringRef name) {
  if (tensor.dtype == dtype) return llvm::Error::success();
  return mistake(call, name + " is " + nameOf(tensor.dtype) + ", expected " + nameOf(dtype));
}

llvm::Error expectShape(const KernelCall &call, const TensorArg &tensor, const Shape &shape, llvm::StringRef name) {
  if (tensor.shape == shape) return llvm::Error::success();
  return mistake(call, name + " has shape " + textOf(tensor.shape) + ", expected " + textOf(shape));
}

llvm::Error expectF32(const KernelCall &call, std::initializer_list<const TensorArg *> tensors) {
  for (const TensorArg *tensor : tensors)
    if (tensor->dtype != DType::F32) return unsupported(call, tensor->dtype);
  return llvm::Error::success();
}

llvm::Error expectElements(const KernelCall &call, const TensorArg &tensor, int64_t elements, llvm::StringRef name) {
  if (tensor.elements() == elements) return llvm::Error::success();
  return mistake(call,
                 name + " has " + llvm::Twine(tensor.elements()) + " elements, expected " + llvm::Twine(elements));
}

llvm::Error expectRank(const KernelCall &call, const TensorArg &tensor, size_t rank, llvm::StringRef name) {
  if (tensor.shape.size() == rank) return llvm::Error::success();
  return mistake(call,
                 name + " has " + llvm::Twine(tensor.shape.size()) + " dimensions, expected " + llvm::Twine(rank));
}

llvm::Error expectWorkspace(const KernelCall &call, uint64_t bytes) {
  if (call.args.workspace.size() >= bytes) return llvm::Error::success();
  return mistake(call, "needs a workspace of " + llvm::Twine(bytes) + " bytes and has " +
                           llvm::Twine(call.args.workspace.size()));
}

llvm::Error unsupported(const KernelCall &call, DType dtype) {
  return mistake(call, "is not available for " + nameOf(dtype) + " on the " + call.device + " device");
}

} // namespace autotp
