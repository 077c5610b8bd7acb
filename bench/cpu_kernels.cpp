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

/// A tensor of its own: ones, or indices that are below what the call takes.
llvm::Expected<TensorArg> allocated(Device &device, const TensorShape &shape, int64_t idsBelow) {
  TensorArg arg{nullptr, shape.dtype, {shape.shape.begin(), shape.shape.end()}};
  const int64_t count = arg.elements();
  llvm::Expected<std::span<std::byte>> memory = device.allocate(size_t(count) * sizeOf(shape.dtype));
  if (!memory) return memory.takeError();
  arg.data = memory->data();
  device.zero(*memory);
  if (shape.dtype == DType::F32)
    for (int64_t i = 0; i < count; ++i)
      arg.as<float>()[i] = 0.1f + 0.9f * float((i * 7919) % 1024) / 1024;
  if (shape.dtype == DType::I64)
    for (int64_t i = 0; i < count; ++i)
      arg.as<int64_t>()[i] = idsBelow > 0 ? i * 7919 % idsBelow : 0;
  return arg;
}

llvm::Expected<Ready> prepared(const KernelCall &call) {
  llvm::Expected<std::unique_ptr<Device>> device = makeCpuDevice(threads, instructionSet);
  if (!device) return device.takeError();
  KernelArgs args;
  args.attributes = call.attributes;
  for (const TensorShape &shape : call.operands) {
    llvm::Expected<TensorArg> arg = allocated(**device, shape, call.idsBelow);
    if (!arg) return arg.takeError();
    args.operands.push_back(std::move(*arg));
  }
  for (size_t i = 0; i < call.results.size(); ++i) {
    const bool isInPlace = i < call.inPlace.size() && call.inPlace[i] >= 0;
    if (isInPlace) {
      args.results.push_back(args.operands[size_t(call.inPlace[i])]);
      continue;
    }
    llvm::Expected<TensorArg> arg = allocated(**device, call.results[i], call.idsBelow);
    if (!arg) return arg.takeError();
    args.results.push_back(std::move(*arg));
  }
  const size_t bytes = workspaceBytes(DeviceKind::Cpu, call.kernel, {call.operands, call.results, threads});
  llvm::Expected<std::span<std::byte>> workspace = (*device)->allocate(bytes);
  if (!workspace) return workspace.takeError();
  args.workspace = *workspace;
  auto kernel = (*device)->prepare(call.kernel, std::move(args));
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
    benchmark::RegisterBenchmark((call.name + "/").c_str(), [call](benchmark::State &state) {
      time(state, call);
    })->UseRealTime();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
