#include "runtime/plan/shape_text.h"

#include "llvm/Support/FormatVariadic.h"

namespace autotp {

std::string shapeText(llvm::ArrayRef<int64_t> shape) {
  return llvm::formatv("[{0:$[, ]}]", llvm::make_range(shape.begin(), shape.end()));
}

} // namespace autotp
