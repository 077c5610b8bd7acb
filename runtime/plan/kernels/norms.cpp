#include "runtime/plan/kernels/cuda_workspace.h"
#include "runtime/plan/kernels/kernel_def.h"

namespace autotp {

RowSizes rowsOf(const TensorArg &tensor) {
  const int64_t width = tensor.shape.back();
  return {width ? tensor.elements() / width : 0, width};
}

/// Each thread sums the gradients of so many vectors, of scale and of bias, for rows of its own.
static uint64_t cpuNormGradBytes(const WorkspaceCall &call, int vectors) {
  return uint64_t(call.threads * vectors) * uint64_t(call.operands[1].shape[0]) * sizeof(float);
}
uint64_t cpuLayerNormGradWorkspace(const WorkspaceCall &call) { return cpuNormGradBytes(call, 2); }
uint64_t cpuRmsNormGradWorkspace(const WorkspaceCall &call) { return cpuNormGradBytes(call, 1); }

static uint64_t cudaNormGradBytes(const WorkspaceCall &call, int vectors) {
  const int64_t width = call.operands[0].shape.back();
  return cudaNormGradBytes(width ? call.operands[0].elements() / width : 0, width, vectors);
}
uint64_t cudaLayerNormGradWorkspace(const WorkspaceCall &call) { return cudaNormGradBytes(call, 2); }
uint64_t cudaRmsNormGradWorkspace(const WorkspaceCall &call) { return cudaNormGradBytes(call, 1); }

} // namespace autotp
