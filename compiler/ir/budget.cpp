#include "compiler/ir/budget.h"

#include "runtime/base/error.h"

namespace autotp {

llvm::Error Budget::check(double moreBytes, double moreOperations) {
  const bool hasMemory = moreBytes <= bytesLeft_;
  if (hasMemory && moreOperations <= operationsLeft_) return llvm::Error::success();
  (hasMemory ? operationsLeft_ : bytesLeft_) = -1;
  constexpr double kMega = 1e6;
  const double all = double(bytes_) / kMega;
  const std::string what =
      hasMemory
          ? llvm::formatv("what is computed up to it takes more than the {0:f0} million operations that import and "
                          "folding have",
                          all * kOperationsPerByte)
                .str()
          : llvm::formatv("what is made up to it takes more than the {0:f0} MB that import and folding have", all)
                .str();
  return problem("", what,
                 "export the model without large constants, functions and loops that grow so, or give more by "
                 "--import-mb N");
}

} // namespace autotp
