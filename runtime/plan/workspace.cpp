#include "runtime/plan/workspace.h"

namespace autotp {

namespace {
/// oneDNN 2.6's brgemm packs blocks of its operands for each thread: at most 673 KB over the shapes and transposes measured
/// (from 1x1x64 to 4096x768x50257, 1 and 2 threads), whatever the size of the operands.
constexpr uint64_t kMatMulBytesPerThread = uint64_t{1} << 20;
} // namespace

uint64_t cpuWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape>, llvm::ArrayRef<TensorShape>, int threads) {
  return kernel == KernelId::MatMul ? kMatMulBytesPerThread * static_cast<uint64_t>(threads > 0 ? threads : 1) : 0;
}

} // namespace autotp
