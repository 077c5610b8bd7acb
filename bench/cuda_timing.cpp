#include "bench/cuda_timing.h"

#include "runtime/base/error.h"
#include "runtime/base/small_floats.h"
#include "runtime/device/cuda/device.h"

#include <algorithm>
#include <random>

namespace autotp::bench {

namespace {

llvm::Error expect(cudaError_t error, llvm::StringRef what) {
  if (error == cudaSuccess) return llvm::Error::success();
  return problem("benchmark", (what + ": " + cudaGetErrorString(error)).str());
}

/// The two ends of one repeat.
struct Interval {
  cudaEvent_t begin = nullptr, end = nullptr;
  Interval() = default;
  Interval(const Interval &) = delete;
  ~Interval() {
    for (cudaEvent_t event : {begin, end})
      if (event) cudaEventDestroy(event);
  }
};

/// `run` enqueues one repeat into `stream`. The write before it also gives the host time to enqueue it, so that no
/// launch is waited for.
llvm::Expected<double> medianOf(Device &device, const TimingOptions &options, llvm::function_ref<Status()> run) {
  const cudaStream_t stream = static_cast<cudaStream_t>(device.nativeStream(Stream::Compute));
  auto flushed = device.allocate(options.flushBytes);
  if (!flushed) return flushed.takeError();
  constexpr int kUncounted = 2;
  std::vector<double> times;
  for (int repeat = 0; repeat < kUncounted + options.repeats; ++repeat) {
    Interval interval;
    for (cudaEvent_t *event : {&interval.begin, &interval.end})
      if (llvm::Error error = expect(cudaEventCreate(event), "no event")) return error;
    device.zero(*flushed);
    if (llvm::Error error = expect(cudaEventRecord(interval.begin, stream), "an event fails")) return error;
    if (run() != Status::Ok) return problem("benchmark", "a launch fails");
    if (llvm::Error error = expect(cudaEventRecord(interval.end, stream), "an event fails")) return error;
    llvm::Expected<Failure> failure = device.synchronise();
    if (!failure) return failure.takeError();
    if (failure->status != Status::Ok)
      return problem("benchmark", "the kernel ends with status " + std::to_string(int(failure->status)));
    float ms = 0;
    if (llvm::Error error = expect(cudaEventElapsedTime(&ms, interval.begin, interval.end), "no time")) return error;
    if (repeat >= kUncounted) times.push_back(ms);
  }
  std::nth_element(times.begin(), times.begin() + long(times.size() / 2), times.end());
  return times[times.size() / 2];
}

/// Numbers from the host for the first part, and copies of that for the rest.
llvm::Error fill(Device &device, const TensorArg &tensor, int64_t idsBelow) {
  const int64_t block = std::min<int64_t>(tensor.elements(), 1 << 18);
  const size_t bytes = size_t(tensor.elements()) * sizeOf(tensor.dtype);
  std::mt19937 random(7);
  std::vector<float> reals;
  std::vector<uint16_t> smalls;
  std::vector<int64_t> ids;
  std::vector<uint8_t> flags;
  for (int64_t i = 0; i < block; ++i) {
    const uint32_t bits = uint32_t(random());
    const float real = 0.1f + 0.9f * float(bits >> 8) / float(1 << 24);
    if (tensor.dtype == DType::F32) reals.push_back(real);
    if (tensor.dtype == DType::BF16) smalls.push_back(floatToBf16(real));
    if (tensor.dtype == DType::I64) ids.push_back(int64_t(bits) % std::max<int64_t>(idsBelow, 1));
    if (tensor.dtype == DType::Bool) flags.push_back(bits >> 31);
  }
  const void *source = !reals.empty()    ? static_cast<const void *>(reals.data())
                       : !smalls.empty() ? static_cast<const void *>(smalls.data())
                       : !ids.empty()    ? static_cast<const void *>(ids.data())
                                         : flags.data();
  size_t done = size_t(block) * sizeOf(tensor.dtype);
  device.upload(tensor.as<std::byte>(), source, done);
  const cudaStream_t stream = static_cast<cudaStream_t>(device.nativeStream(Stream::Compute));
  for (; done < bytes; done *= 2)
    if (llvm::Error error = expect(cudaMemcpyAsync(tensor.as<std::byte>() + done, tensor.data,
                                                   std::min(done, bytes - done), cudaMemcpyDeviceToDevice, stream),
                                   "memory cannot be filled"))
      return error;
  return llvm::Error::success();
}

llvm::Expected<KernelArgs> layOut(Device &device, const KernelCall &call) {
  KernelArgs args;
  args.attributes = call.attributes;
  auto place = [&](const TensorShape &tensor, std::vector<TensorArg> &to) -> llvm::Error {
    TensorArg arg{nullptr, tensor.dtype, {tensor.shape.begin(), tensor.shape.end()}};
    auto memory = device.allocate(size_t(arg.elements()) * sizeOf(arg.dtype));
    if (!memory) return memory.takeError();
    arg.data = memory->data();
    to.push_back(std::move(arg));
    return llvm::Error::success();
  };
  for (const TensorShape &tensor : call.operands) {
    if (llvm::Error error = place(tensor, args.operands)) return error;
    if (llvm::Error error = fill(device, args.operands.back(), call.idsBelow)) return error;
  }
  for (size_t r = 0; r < call.results.size(); ++r) {
    if (r < call.inPlace.size())
      args.results.push_back(args.operands[size_t(call.inPlace[r])]);
    else if (llvm::Error error = place(call.results[r], args.results))
      return error;
  }
  auto workspace = device.allocate(workspaceBytes(DeviceKind::Cuda, call.kernel, {call.operands, call.results}));
  if (!workspace) return workspace.takeError();
  args.workspace = *workspace;
  return args;
}

} // namespace

llvm::Expected<double> timeCall(const KernelCall &call, const TimingOptions &options) {
  auto device = makeCudaDevice({0, options.allowsTf32});
  if (!device) return device.takeError();
  llvm::Expected<KernelArgs> args = layOut(**device, call);
  if (!args) return args.takeError();
  auto kernel = (*device)->prepare(call.kernel, std::move(*args));
  if (!kernel) return kernel.takeError();
  return medianOf(**device, options, [&] { return (*kernel)->run(); });
}

llvm::Expected<double> timeCopy(size_t bytes, const TimingOptions &options) {
  auto device = makeCudaDevice({});
  if (!device) return device.takeError();
  auto from = (*device)->allocate(bytes);
  if (!from) return from.takeError();
  auto to = (*device)->allocate(bytes);
  if (!to) return to.takeError();
  (*device)->zero(*from);
  const cudaStream_t stream = static_cast<cudaStream_t>((*device)->nativeStream(Stream::Compute));
  return medianOf(**device, options, [&] {
    return cudaMemcpyAsync(to->data(), from->data(), bytes, cudaMemcpyDeviceToDevice, stream) == cudaSuccess
               ? Status::Ok
               : Status::LibraryFailed;
  });
}

} // namespace autotp::bench
