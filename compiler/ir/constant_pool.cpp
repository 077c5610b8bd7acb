#include "compiler/ir/constant_pool.h"

#include "runtime/base/digest.h"

namespace autotp {

bool ConstantPool::share(Tensor &tensor) {
  constexpr size_t kFew = 256;
  if (tensor.bytes.size() <= kFew || !tensor.owner) return true;
  const llvm::StringRef bytes(reinterpret_cast<const char *>(tensor.bytes.data()), tensor.bytes.size());
  Held &held = held_[digestOf(bytes)];
  if (std::shared_ptr<const void> owner = held.owner.lock(); owner && held.bytes == tensor.bytes) {
    tensor.bytes = held.bytes;
    tensor.owner = std::move(owner);
    return false;
  }
  held = {tensor.bytes, tensor.owner};
  return true;
}

} // namespace autotp
