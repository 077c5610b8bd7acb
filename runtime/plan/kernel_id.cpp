#include "runtime/plan/kernel_id.h"

namespace autotp {
namespace {

struct Row {
  llvm::StringLiteral name;
  int operands, results;
};

Row rowOf(KernelId kernel) {
  switch (kernel) {
  case KernelId::None:
    return {"None", -1, 0};
#define AUTOTP_KERNEL(id, name, operands, results)                                                                     \
  case KernelId::name:                                                                                                 \
    return {#name, operands, results};
#include "runtime/plan/kernels.def"
#undef AUTOTP_KERNEL
  }
  return {"?", -1, 0};
}

} // namespace

llvm::StringRef nameOf(KernelId kernel) { return rowOf(kernel).name; }
int operandsOf(KernelId kernel) { return rowOf(kernel).operands; }
int resultsOf(KernelId kernel) { return rowOf(kernel).results; }

} // namespace autotp
