/// \file The cpu device: one table of all kernels, and the rank's memory.
#include "runtime/device/cpu/device.h"

#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/storage.h"

#include <omp.h>

#include <cstdlib>
#include <cstring>

namespace autotp {

const cpu::KernelRow *cpu::findRow(KernelId kernel) {
  static constexpr std::span<const KernelRow> (*kFamilies[])() = {
      unaryKernels,        castKernels,      binaryKernels, activationGradKernels, reduceKernels,
      dataMovementKernels, transposeKernels, lookupKernels, softmaxKernels,        dropoutKernels,
      alongRowsKernels,    rotaryKernels,    matMulKernels, normKernels,           crossEntropyKernels,
      optimizerKernels,    attentionKernels};
  for (auto family : kFamilies)
    for (const KernelRow &row : family())
      if (row.kernel == kernel) return &row;
  return nullptr;
}

namespace {

using namespace cpu;

constexpr size_t kAlignment = 256;

/// The kernels are compiled for one instruction set; on an older processor they would fault.
bool hostRunsOurCode() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

template <typename T> T combined(T a, T b, Reduce reduce) { return reduce == Reduce::Sum ? a + b : std::max(a, b); }

/// Small floats are added in f32 and rounded once.
template <typename T> void combineHere(const Combination &c) {
  constexpr int64_t kBlock = 2048;
  alignas(64) Widened<T> sum[kBlock];
  alignas(64) T rounded[kBlock];
  for (int64_t at = c.begin; at < c.end; at += kBlock) {
    const int64_t n = std::min(kBlock, c.end - at);
    const T *first = static_cast<const T *>(c.ins[0]) + at;
    for (int64_t i = 0; i < n; ++i)
      sum[i] = widened(first[i]);
    for (size_t m = 1; m < c.ins.size(); ++m) {
      const T *next = static_cast<const T *>(c.ins[m]) + at;
      for (int64_t i = 0; i < n; ++i)
        sum[i] = combined(sum[i], widened(next[i]), c.reduce);
    }
    for (int64_t i = 0; i < n; ++i)
      rounded[i] = Narrowed<T>::from(sum[i]);
    for (void *out : c.outs)
      std::memcpy(static_cast<T *>(out) + at - c.shift, rounded, size_t(n) * sizeof(T));
  }
}

class CpuDevice final : public Device {
public:
  explicit CpuDevice(int threads) : threads_(threads > 0 ? threads : 1) {}
  ~CpuDevice() override {
    for (void *block : blocks_)
      std::free(block);
  }

  llvm::Expected<std::span<std::byte>> allocate(size_t bytes) override {
    omp_set_num_threads(threads_);
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    void *block = std::aligned_alloc(kAlignment, rounded ? rounded : kAlignment);
    if (!block)
      return problem("cpu device", llvm::formatv("the host has no {0} bytes of memory to give", bytes).str(),
                     "use more ranks, or a smaller batch");
    blocks_.push_back(block);
    return std::span<std::byte>(static_cast<std::byte *>(block), bytes);
  }

  llvm::Expected<std::unique_ptr<PreparedKernel>> prepare(KernelId kernel, KernelArgs args) override {
    omp_set_num_threads(threads_); // of this thread alone: ranks are threads of one process
    const KernelRow *row = findRow(kernel);
    if (!row) return problem(("kernel " + nameOf(kernel)).str(), "is unknown to the cpu device");
    Call call{{kernel, std::move(args), "cpu"}, threads_};
    if (llvm::Error error = checkCall(call)) return error;
    return row->prepare(std::move(call));
  }

  void upload(std::byte *to, const void *from, size_t bytes) override { copy(to, from, bytes); }
  void download(void *to, const std::byte *from, size_t bytes) override { copy(to, from, bytes); }
  void zero(std::span<std::byte> memory) override {
    if (!memory.empty()) std::memset(memory.data(), 0, memory.size());
  }

  llvm::Expected<EventId> makeEvent() override { return EventId{0}; }
  void record(Stream, EventId) override {}
  void wait(Stream, EventId) override {}
  void waitFor(Stream, Device &, EventId) override {}
  void combine(const Combination &c) override {
    if (c.ins.size() == 1) {
      const size_t size = sizeOf(c.dtype);
      for (void *out : c.outs)
        copy(static_cast<std::byte *>(out) + size_t(c.begin - c.shift) * size,
             static_cast<const std::byte *>(c.ins[0]) + size_t(c.begin) * size, size_t(c.end - c.begin) * size);
      return;
    }
    switch (c.dtype) {
    case DType::F64:
      return combineHere<double>(c);
    case DType::I64:
      return combineHere<int64_t>(c);
    case DType::I32:
      return combineHere<int32_t>(c);
    case DType::BF16:
      return combineHere<Bf16>(c);
    case DType::F16:
      return combineHere<_Float16>(c);
    default:
      return combineHere<float>(c);
    }
  }
  void *nativeStream(Stream) override { return nullptr; }
  llvm::Expected<Failure> synchronise() override { return Failure{}; }
  llvm::Expected<std::unique_ptr<PreparedKernel>> capture(std::function<Status()> section) override {
    return ready(std::move(section));
  }

private:
  static void copy(void *to, const void *from, size_t bytes) {
    if (bytes && to != from) std::memcpy(to, from, bytes);
  }

  int threads_;
  std::vector<void *> blocks_;
};

} // namespace

llvm::Expected<std::unique_ptr<Device>> makeCpuDevice(int threads) {
  if (!hostRunsOurCode())
    return problem("cpu device", "this build is for a newer processor than the host's",
                   "configure with -DAUTOTP_CPU_ARCH=x86-64-v3 or =x86-64");
  return std::make_unique<CpuDevice>(threads);
}

} // namespace autotp
