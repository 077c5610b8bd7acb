/// \file Every kernel of the cpu device at sizes of a training step on a host: its rate in FLOP/s or bytes/s, beside a large
/// product and AdamW's bandwidth (Google Benchmark; its flags, such as --benchmark_filter, are taken too).
///
/// usage: cpu_kernels [--tiny] [--threads=N] [--instruction-set=NAME] [--benchmark_...]
#include "bench/kernel_calls.h"
#include "runtime/base/error.h"
#include "runtime/device/cpu/device.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

#include <benchmark/benchmark.h>
#include <cstring>

namespace autotp::bench {
namespace {

llvm::cl::opt<bool> isTiny("tiny", llvm::cl::desc("sizes for a test"));
llvm::cl::opt<int> threads("threads", llvm::cl::init(2), llvm::cl::desc("of the device"));
llvm::cl::opt<std::string> instructionSet("instruction-set",
                                          llvm::cl::desc("of the kernels; default: the host's best"));

/// The model S of bench/compare.py; the optimizer's call has more elements than caches hold.
constexpr Sizes kSmall{4, 4, 256, 256, 8, 4, 688, 4096, int64_t(16) << 20};

struct Ready {
  std::unique_ptr<Device> device;
  std::unique_ptr<PreparedKernel> kernel;
};

llvm::Error fill(const TensorArg &operand, llvm::ArrayRef<std::byte> beginning) {
  const size_t bytes = size_t(operand.elements()) * sizeOf(operand.dtype);
  for (size_t done = 0; done < bytes; done += beginning.size())
    std::memcpy(operand.as<std::byte>() + done, beginning.data(), std::min(beginning.size(), bytes - done));
  return llvm::Error::success();
}

llvm::Expected<Ready> prepared(const KernelCall &call) {
  llvm::Expected<std::unique_ptr<Device>> device = makeCpuDevice(threads, instructionSet);
  if (!device) return device.takeError();
  llvm::Expected<KernelArgs> args = layOut(**device, DeviceKind::Cpu, call, threads, fill);
  if (!args) return args.takeError();
  auto kernel = (*device)->prepare(call.kernel, std::move(*args));
  if (!kernel) return kernel.takeError();
  return Ready{std::move(*device), std::move(*kernel)};
}

void time(benchmark::State &state, const KernelCall &call) {
  llvm::Expected<Ready> ready = prepared(call);
  if (!ready) {
    state.SkipWithError(describe(ready.takeError()).c_str());
    return;
  }
  for (auto _ : state)
    if (ready->kernel->run() != Status::Ok) state.SkipWithError("the kernel failed");
  using benchmark::Counter;
  const auto rate = [&](double each) { return Counter(each, Counter::kIsIterationInvariantRate); };
  if (call.flops > 0) state.counters["FLOP/s"] = rate(call.flops);
  state.counters["bytes/s"] = rate(call.bytesMoved());
}

} // namespace
} // namespace autotp::bench

int main(int argc, char **argv) {
  using namespace autotp::bench;
  benchmark::Initialize(&argc, argv);
  llvm::cl::ParseCommandLineOptions(argc, argv);
  const autotp::TensorShape square{autotp::DType::F32, {2048, 2048}};
  std::vector<KernelCall> calls = kernelCalls(kSmall);
  calls.insert(
      calls.begin(),
      {"large product", autotp::KernelId::MatMul, {square, square}, {square}, {}, {}, 2.0 * 2048 * 2048 * 2048});
  for (const KernelCall &call : calls)
    benchmark::RegisterBenchmark(call.name.c_str(), [call](benchmark::State &state) {
      time(state, call);
    })->UseRealTime();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
