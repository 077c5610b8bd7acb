#include "runtime/plan/kernels/checks.h"

#include "runtime/plan/shape_text.h"

#include "llvm/ADT/Twine.h"

namespace autotp {

std::string textOf(const TensorArg &tensor) { return nameOf(tensor.dtype).str() + " " + shapeText(tensor.shape); }

llvm::Error mistake(const KernelCall &call, const llvm::Twine &what) {
  return problem(("kernel " + nameOf(call.kernel)).str(), what.str());
}

llvm::Error expectDType(const KernelCall &call, const TensorArg &tensor, DType dtype, llvm::StringRef name) {
  if (tensor.dtype == dtype) return llvm::Error::success();
  return mistake(call, name + " is " + nameOf(tensor.dtype) + ", expected " + nameOf(dtype));
}

llvm::Error expectShape(const KernelCall &call, const TensorArg &tensor, const ArgShape &shape, llvm::StringRef name) {
  if (tensor.shape == shape) return llvm::Error::success();
  return mistake(call, name + " has shape " + shapeText(tensor.shape) + ", expected " + shapeText(shape));
}

llvm::Error expectElements(const KernelCall &call, const TensorArg &tensor, int64_t elements, llvm::StringRef name) {
  if (tensor.elements() == elements) return llvm::Error::success();
  return mistake(call,
                 name + " has " + llvm::Twine(tensor.elements()) + " elements, expected " + llvm::Twine(elements));
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
