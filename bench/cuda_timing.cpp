#include "bench/cuda_timing.h"

#include "runtime/base/error.h"
#include "runtime/device/cuda/device.h"

#include <algorithm>

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

/// The beginning from the host, and copies of it within the GPU.
llvm::Error fill(Device &device, const TensorArg &operand, llvm::ArrayRef<std::byte> beginning) {
  const size_t bytes = size_t(operand.elements()) * sizeOf(operand.dtype);
  device.upload(operand.as<std::byte>(), beginning.data(), beginning.size());
  const cudaStream_t stream = static_cast<cudaStream_t>(device.nativeStream(Stream::Compute));
  for (size_t done = beginning.size(); done < bytes; done *= 2)
    if (llvm::Error error = expect(cudaMemcpyAsync(operand.as<std::byte>() + done, operand.data,
                                                   std::min(done, bytes - done), cudaMemcpyDeviceToDevice, stream),
                                   "memory cannot be filled"))
      return error;
  return llvm::Error::success();
}

} // namespace

llvm::Expected<double> timeCall(const KernelCall &call, const TimingOptions &options) {
  auto device = makeCudaDevice({0, options.allowsTf32});
  if (!device) return device.takeError();
  llvm::Expected<KernelArgs> args = layOut(**device, DeviceKind::Cuda, call, /*threads=*/1,
                                           [&](const TensorArg &operand, llvm::ArrayRef<std::byte> beginning) {
                                             return fill(**device, operand, beginning);
                                           });
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
  const cudaStream_t stream = static_cast<cudaStream_t>((*device)->nativeStream(Stream::Compute));
  return medianOf(**device, options, [&] {
    return cudaMemcpyAsync(to->data(), from->data(), bytes, cudaMemcpyDeviceToDevice, stream) == cudaSuccess
               ? Status::Ok
               : Status::LibraryFailed;
  });
}

} // namespace autotp::bench
