#include "runtime/plan/kernels/kernel_def.h"

namespace autotp {

/// The loss of each row, before they are summed.
uint64_t crossEntropyWorkspace(const WorkspaceCall &call) {
  return uint64_t(call.operands[0].shape[0]) * sizeof(float);
}

} // namespace autotp
