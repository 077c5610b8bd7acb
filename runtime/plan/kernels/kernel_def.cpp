#include "runtime/plan/kernels/kernel_def.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

#include <cassert>

namespace autotp {

// The functions that rows name are those of the families' files.
#define AUTOTP_KERNEL(id, name, signature, dtypes, check, cpuWorkspace, cudaWorkspace)                                 \
  llvm::Error check(const KernelCall &call);                                                                           \
  uint64_t cpuWorkspace(const WorkspaceCall &call);                                                                    \
  uint64_t cudaWorkspace(const WorkspaceCall &call);
#include "runtime/plan/kernels/kernels.def"
#undef AUTOTP_KERNEL

namespace {

constexpr DType kAll[] = {DType::F32, DType::F64, DType::BF16, DType::F16,
                          DType::I64, DType::I32, DType::Bool, DType::U8};
constexpr DType kComparable[] = {DType::F32, DType::F64, DType::BF16, DType::F16, DType::I64, DType::I32, DType::Bool};
constexpr DType kNumbers[] = {DType::F32, DType::F64, DType::BF16, DType::F16, DType::I64, DType::I32};
constexpr DType kFloats[] = {DType::F32, DType::F64, DType::BF16, DType::F16};
constexpr DType kSummed[] = {DType::F32, DType::F64, DType::I64, DType::I32};
constexpr DType kWide[] = {DType::F32, DType::F64};
constexpr DType kProducts[] = {DType::F32, DType::BF16, DType::F16};
constexpr DType kSingle[] = {DType::F32};
constexpr DType kIndices[] = {DType::I64, DType::I32};
constexpr DType kFlags[] = {DType::Bool};

constexpr KernelDef kRows[] = {
#define AUTOTP_KERNEL(id, name, signature, dtypes, check, cpuWorkspace, cudaWorkspace)                                 \
  {KernelId::name, #name, signature, dtypes, check, cpuWorkspace, cudaWorkspace},
#include "runtime/plan/kernels/kernels.def"
#undef AUTOTP_KERNEL
};

} // namespace

llvm::ArrayRef<KernelDef> allKernels() { return kRows; }

const KernelDef *findKernel(KernelId kernel) {
  static const std::vector<const KernelDef *> byId = [] {
    std::vector<const KernelDef *> rows;
    for (const KernelDef &row : kRows) {
      if (rows.size() <= size_t(row.id)) rows.resize(size_t(row.id) + 1, nullptr);
      rows[size_t(row.id)] = &row;
    }
    return rows;
  }();
  return size_t(kernel) < byId.size() ? byId[size_t(kernel)] : nullptr;
}

const Signature &signatureOf(KernelId kernel) {
  static const std::vector<Signature> parsed = [] {
    std::vector<Signature> signatures;
    for (const KernelDef &row : kRows)
      signatures.push_back(Signature::parse(row.signature));
    return signatures;
  }();
  const KernelDef *row = findKernel(kernel);
  assert(row && "a number that is no kernel");
  return parsed[size_t(row - kRows)];
}

llvm::StringRef nameOf(KernelId kernel) {
  if (kernel == KernelId::None) return "None";
  const KernelDef *row = findKernel(kernel);
  return row ? row->name : "?";
}

uint64_t noWorkspace(const WorkspaceCall &) { return 0; }

int64_t TensorShape::elements() const {
  int64_t n = 1;
  for (int64_t d : shape)
    n *= d;
  return n;
}

uint64_t workspaceBytes(DeviceKind device, KernelId kernel, const WorkspaceCall &call) {
  const KernelDef *row = findKernel(kernel);
  if (!row) return 0;
  return device == DeviceKind::Cuda ? row->cudaWorkspace(call) : row->cpuWorkspace(call);
}

} // namespace autotp
