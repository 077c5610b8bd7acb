/// \file The cpu device: one table of all kernels, and the rank's memory.
#include "runtime/device/cpu/device.h"

#include "runtime/device/cpu/instruction_sets.h"

#include <omp.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace autotp {

namespace {

using namespace cpu;

constexpr size_t kAlignment = 256, kHugePage = size_t(2) << 20;

class CpuDevice final : public Device {
public:
  CpuDevice(int threads, const Kernels &kernels) : threads_(threads > 0 ? threads : 1), kernels_(kernels) {}
  ~CpuDevice() override {
    for (void *block : blocks_)
      std::free(block);
  }

  llvm::Expected<std::span<std::byte>> allocate(size_t bytes) override {
    omp_set_num_threads(threads_);
    size_t alignment = bytes < kHugePage ? kAlignment : kHugePage, space = bytes + alignment;
    void *block =
        space < bytes ? nullptr : std::calloc(1, space); // as new pages of the system, which are zeros already
    if (!block)
      return problem("cpu device", llvm::formatv("the host has no {0} bytes of memory to give", bytes).str(),
                     "use more ranks, or a smaller batch");
    blocks_.push_back(block);
    void *aligned = std::align(alignment, bytes, block, space);
#ifdef MADV_HUGEPAGE
    // Spares page faults and misses of address translation. If the system has no huge pages, nothing changes.
    if (bytes >= kHugePage) (void)madvise(aligned, bytes, MADV_HUGEPAGE);
#endif
    return std::span<std::byte>(static_cast<std::byte *>(aligned), bytes);
  }

  llvm::Expected<std::unique_ptr<PreparedKernel>> prepare(KernelId kernel, KernelArgs args) override {
    omp_set_dynamic(0); // of this thread alone, as is the next: ranks are threads of one process
    omp_set_num_threads(threads_);
    const KernelRow *row = kernels_.findRow(kernel);
    if (!row) return problem(("kernel " + nameOf(kernel)).str(), "is unknown to the cpu device");
    const Call call{{kernel, std::move(args), "cpu"}, threads_};
    if (llvm::Error error = checkCall(call)) return error;
    return row->prepare(call);
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
    kernels_.combine(c);
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
  const Kernels &kernels_;
  std::vector<void *> blocks_;
};

} // namespace

std::vector<std::string> cpuInstructionSets() {
  std::vector<std::string> names;
  for (const InstructionSet &set : instructionSets())
    if (set.isOnHost()) names.push_back(set.name.str());
  return names;
}

/// oneDNN divides a product among the threads that it asks for and does not look how many it gets.
static llvm::Error checkTeam(int threads) {
  omp_set_dynamic(0);
  if (threads <= omp_get_thread_limit()) return llvm::Error::success();
  return problem(
      "cpu device",
      llvm::formatv("OMP_THREAD_LIMIT is {0}, and the rank has {1} threads", omp_get_thread_limit(), threads).str(),
      llvm::formatv("unset it, or give --threads {0}", omp_get_thread_limit()).str());
}

llvm::Expected<std::unique_ptr<Device>> makeCpuDevice(int threads, llvm::StringRef instructionSet) {
  if (llvm::Error error = checkTeam(threads)) return error;
  for (const InstructionSet &set : instructionSets())
    if ((instructionSet.empty() || set.name == instructionSet) && set.isOnHost())
      return std::make_unique<CpuDevice>(threads, *set.kernels());
  if (instructionSet.empty())
    return problem("cpu device", "the host has none of the instruction sets that this build's kernels are for",
                   "configure with -DAUTOTP_CPU_SETS=base");
  return problem("cpu device", "the host or this build does not have '" + escaped(instructionSet) + "'",
                 "there are: " + llvm::join(cpuInstructionSets(), ", "));
}

} // namespace autotp
