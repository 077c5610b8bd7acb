#include "runtime/plan/kernel_id.h"

namespace autotp {

llvm::StringRef nameOf(KernelId kernel) {
  switch (kernel) {
  case KernelId::None:
    return "None";
#define AUTOTP_KERNEL(id, name, operands, results)                                                                     \
  case KernelId::name:                                                                                                 \
    return #name;
#include "runtime/plan/kernels.def"
#undef AUTOTP_KERNEL
  }
  return "?";
}

int operandsOf(KernelId kernel) {
  switch (kernel) {
  case KernelId::None:
    return -1;
#define AUTOTP_KERNEL(id, name, operands, results)                                                                     \
  case KernelId::name:                                                                                                 \
    return operands;
#include "runtime/plan/kernels.def"
#undef AUTOTP_KERNEL
  }
  return -1;
}

int resultsOf(KernelId kernel) {
  switch (kernel) {
  case KernelId::None:
    return 0;
#define AUTOTP_KERNEL(id, name, operands, results)                                                                     \
  case KernelId::name:                                                                                                 \
    return results;
#include "runtime/plan/kernels.def"
#undef AUTOTP_KERNEL
  }
  return 0;
}

} // namespace autotp
