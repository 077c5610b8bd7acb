/// \file The cuda device: one table of all kernels, the rank's memory on the GPU, its two queues and their events.
#include "runtime/device/cuda/device.h"

#include "runtime/device/cuda/combine.h"
#include "runtime/device/cuda/kernel_table.h"

#include <utility>

namespace autotp {

const cuda::KernelRow *cuda::findRow(KernelId kernel) {
  static constexpr std::span<const KernelRow> (*kFamilies[])() = {
#define AUTOTP_FAMILY(family) family,
#include "runtime/device/cuda/families.def"
#undef AUTOTP_FAMILY
  };
  for (auto family : kFamilies)
    for (const KernelRow &row : family())
      if (row.kernel == kernel) return &row;
  return nullptr;
}

namespace {

using namespace cuda;

/// Kernels that only other devices have, each with the reason.
struct MissingKernel {
  KernelId kernel;
  llvm::StringLiteral reason;
};
constexpr std::array<MissingKernel, 0> kMissing{};

std::string mebibytes(size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

class CudaDevice final : public Device, public Gpu {
public:
  explicit CudaDevice(const CudaOptions &options) : ordinal_(options.ordinal) {
    allowsTf32 = options.allowsTf32;
    name_ = "cuda device " + std::to_string(ordinal_);
  }

  ~CudaDevice() override {
    cudaSetDevice(ordinal_); // the thread that ends a device need not be the one that made it
    if (compute) cudaStreamSynchronize(compute);
    if (communication_) cudaStreamSynchronize(communication_);
    for (cudaEvent_t event : events_)
      cudaEventDestroy(event);
    if (products) cublasLtDestroy(products);
    for (void *block : blocks_)
      cudaFree(block);
    for (cudaStream_t stream : {compute, communication_})
      if (stream) cudaStreamDestroy(stream);
  }

  llvm::Error open() {
    if (llvm::Error error = checkGpu()) return error;
    int least = 0, greatest = 0;
    if (llvm::Error error = expect(cudaSetDevice(ordinal_), "it cannot be used")) return error;
    if (llvm::Error error = expect(cudaDeviceGetStreamPriorityRange(&least, &greatest), "it has no queues"))
      return error;
    // Collectives go first where both queues could: what waits for them is the rest of the step.
    if (llvm::Error error = expect(cudaStreamCreateWithPriority(&compute, cudaStreamNonBlocking, least), "no queue"))
      return error;
    if (llvm::Error error =
            expect(cudaStreamCreateWithPriority(&communication_, cudaStreamNonBlocking, greatest), "no queue"))
      return error;
    if (cublasLtCreate(&products) != CUBLAS_STATUS_SUCCESS)
      return problem(name_, "cuBLASLt does not start", "install the CUDA Toolkit's libraries of this build's version");
    void *word = nullptr;
    if (llvm::Error error = expect(cudaMalloc(&word, sizeof(FailureMark)), "it has no memory left")) return error;
    blocks_.push_back(word);
    mark = static_cast<FailureMark *>(word);
    return expect(cudaMemsetAsync(mark, 0, sizeof(FailureMark), compute), "its memory cannot be written");
  }

  llvm::Expected<std::span<std::byte>> allocate(size_t bytes) override {
    if (llvm::Error error = checkFree(bytes)) return error;
    void *block = nullptr;
    if (llvm::Error error = expect(cudaMalloc(&block, bytes ? bytes : 1), "it does not give its free memory"))
      return error;
    blocks_.push_back(block);
    if (llvm::Error error = expect(cudaMemsetAsync(block, 0, bytes, compute), "its memory cannot be written"))
      return error;
    return std::span<std::byte>(static_cast<std::byte *>(block), bytes);
  }

  llvm::Error checkFree(uint64_t bytes) {
    size_t free = 0, total = 0;
    if (llvm::Error error = expect(cudaSetDevice(ordinal_), "it cannot be used")) return error;
    if (llvm::Error error = expect(cudaMemGetInfo(&free, &total), "its memory cannot be asked for")) return error;
    if (bytes <= free) return llvm::Error::success();
    return problem(name_,
                   "the plan needs " + mebibytes(bytes) + ", and " + mebibytes(free) + " of " + mebibytes(total) +
                       " are free",
                   "end what else runs there, or compile for more ranks or a smaller micro-batch");
  }

  llvm::Expected<std::unique_ptr<PreparedKernel>> prepare(KernelId kernel, KernelArgs args) override {
    if (llvm::Error error = expect(cudaSetDevice(ordinal_), "it cannot be used")) return error;
    const std::string where = ("kernel " + nameOf(kernel)).str();
    if (llvm::StringRef reason = whyMissingOnCuda(kernel); !reason.empty())
      return problem(where, ("is missing on the cuda device: " + reason).str());
    const KernelRow *row = findRow(kernel);
    if (!row) return problem(where, "is unknown to the cuda device");
    const Call call{{kernel, std::move(args), "cuda"}, *this, prepared_};
    if (llvm::Error error = checkCall(call)) return error;
    auto prepared = row->prepare(call);
    if (prepared) ++prepared_;
    return prepared;
  }

  llvm::Expected<const int64_t *> table(std::span<const int64_t> values) override {
    if (values.empty()) return static_cast<const int64_t *>(nullptr);
    void *block = nullptr;
    if (llvm::Error error = expect(cudaMalloc(&block, values.size_bytes()), "it has no memory left for a table"))
      return error;
    blocks_.push_back(block);
    if (llvm::Error error =
            expect(cudaMemcpyAsync(block, values.data(), values.size_bytes(), cudaMemcpyHostToDevice, compute),
                   "its memory cannot be written"))
      return error;
    return static_cast<const int64_t *>(block);
  }

  void upload(std::byte *to, const void *from, size_t bytes) override {
    // From pageable memory: the bytes are taken before the call returns.
    if (bytes) note(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, compute));
  }
  void zero(std::span<std::byte> memory) override {
    if (!memory.empty()) note(cudaMemsetAsync(memory.data(), 0, memory.size(), compute));
  }
  void download(void *to, const std::byte *from, size_t bytes) override {
    if (bytes) note(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, compute));
    note(cudaStreamSynchronize(compute));
  }

  llvm::Expected<EventId> makeEvent() override {
    cudaEvent_t event = nullptr;
    if (llvm::Error error = expect(cudaSetDevice(ordinal_), "it cannot be used")) return error;
    if (llvm::Error error = expect(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "no event")) return error;
    events_.push_back(event);
    return EventId(events_.size() - 1);
  }
  void record(Stream stream, EventId event) override { note(cudaEventRecord(events_[event], queue(stream))); }
  void wait(Stream stream, EventId event) override { note(cudaStreamWaitEvent(queue(stream), events_[event], 0)); }
  void waitFor(Stream stream, Device &owner, EventId event) override {
    note(cudaStreamWaitEvent(queue(stream), static_cast<CudaDevice &>(owner).events_[event], 0));
  }
  void combine(const Combination &combination) override {
    if (cuda::combine(combination, communication_) != Status::Ok) note(cudaErrorLaunchFailure);
  }
  void *nativeStream(Stream stream) override { return queue(stream); }

  llvm::Expected<Failure> synchronise() override {
    FailureMark word = 0;
    note(cudaMemcpyAsync(&word, mark, sizeof word, cudaMemcpyDeviceToHost, compute));
    note(cudaStreamSynchronize(compute));
    note(cudaStreamSynchronize(communication_));
    note(cudaGetLastError());
    if (cudaError_t first = std::exchange(first_, cudaSuccess); first != cudaSuccess)
      return problem(name_, std::string("a kernel or transfer failed: ") + cudaGetErrorString(first),
                     "run again with CUDA_LAUNCH_BLOCKING=1, or under compute-sanitizer, to see which");
    if (word) note(cudaMemsetAsync(mark, 0, sizeof word, compute));
    return failureOf(word);
  }

  llvm::Expected<std::unique_ptr<PreparedKernel>> capture(std::function<Status()> section) override;

private:
  cudaStream_t queue(Stream stream) const { return stream == Stream::Compute ? compute : communication_; }
  void note(cudaError_t error) {
    if (first_ == cudaSuccess) first_ = error;
  }
  llvm::Error expect(cudaError_t error, llvm::StringRef what) const {
    if (error == cudaSuccess) return llvm::Error::success();
    (void)cudaGetLastError(); // told here, and not again by synchronise()
    return problem(name_, (what + ": " + cudaGetErrorString(error)).str());
  }
  llvm::Error checkGpu();

  int ordinal_;
  std::string name_;
  cudaStream_t communication_ = nullptr;
  std::vector<cudaEvent_t> events_;
  std::vector<void *> blocks_;
  uint32_t prepared_ = 0;
  cudaError_t first_ = cudaSuccess; ///< of what has no error to return
};

/// Lowest compute capability, times 10, that AUTOTP_CUDA_ARCHITECTURES ("80,90") has code for.
int lowestArchitecture() {
  int lowest = 0;
  llvm::StringRef rest = AUTOTP_CUDA_ARCHITECTURES;
  while (!rest.empty()) {
    auto [one, others] = rest.split(',');
    int number = 0;
    one.take_while([](char c) { return c >= '0' && c <= '9'; }).getAsInteger(10, number);
    if (lowest == 0 || number < lowest) lowest = number;
    rest = others;
  }
  return lowest;
}

llvm::Error CudaDevice::checkGpu() {
  int count = 0;
  if (cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess && error != cudaErrorNoDevice) {
    (void)cudaGetLastError();
    return problem(name_, std::string("the NVIDIA driver is missing or too old: ") + cudaGetErrorString(error),
                   "install the driver that this build's CUDA Toolkit asks for, or compile the plan for cpu");
  }
  (void)cudaGetLastError();
  if (ordinal_ < 0 || ordinal_ >= count)
    return problem(name_, "this process sees " + std::to_string(count) + " GPUs",
                   count ? "use as many ranks on this host, or set CUDA_VISIBLE_DEVICES"
                         : "start it on a host with a GPU, or compile the plan for cpu");
  int major = 0, minor = 0;
  if (llvm::Error error = expect(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal_), "no GPU"))
    return error;
  if (llvm::Error error = expect(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal_), "no GPU"))
    return error;
  if (major * 10 + minor < lowestArchitecture())
    return problem(name_,
                   "it is of compute capability " + std::to_string(major) + "." + std::to_string(minor) +
                       ", and this build has code for " AUTOTP_CUDA_ARCHITECTURES,
                   "use a GPU of compute capability 8.0 or later");
  return llvm::Error::success();
}

/// A graph that replays what a section enqueued.
class Replay final : public PreparedKernel {
public:
  Replay(cudaGraphExec_t graph, cudaStream_t stream) : graph_(graph), stream_(stream) {}
  ~Replay() override { cudaGraphExecDestroy(graph_); }
  Status run() override { return cudaGraphLaunch(graph_, stream_) == cudaSuccess ? Status::Ok : Status::LibraryFailed; }

private:
  cudaGraphExec_t graph_;
  cudaStream_t stream_;
};

llvm::Expected<std::unique_ptr<PreparedKernel>> CudaDevice::capture(std::function<Status()> section) {
  if (llvm::Error error = expect(cudaSetDevice(ordinal_), "it cannot be used")) return error;
  // Other ranks are threads of this process and may do at load meanwhile what a capture would forbid.
  if (llvm::Error error = expect(cudaStreamBeginCapture(compute, cudaStreamCaptureModeThreadLocal), "no capture"))
    return error;
  const Status status = section();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;
  llvm::Error error = expect(cudaStreamEndCapture(compute, &graph), "a section cannot be captured");
  if (!error) error = expect(cudaGraphInstantiate(&ready, graph, 0), "a captured section cannot be made ready");
  if (graph) cudaGraphDestroy(graph);
  if (error) return error;
  std::unique_ptr<PreparedKernel> replay = std::make_unique<Replay>(ready, compute);
  if (status != Status::Ok) return problem(name_, "a section fails while it is captured");
  return replay;
}

} // namespace

llvm::StringRef whyMissingOnCuda(KernelId kernel) {
  for (const MissingKernel &missing : kMissing)
    if (missing.kernel == kernel) return missing.reason;
  return "";
}

int countGpus() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  (void)cudaGetLastError(); // makeCudaDevice() says why there is none
  return 0;
}

std::string gpuAddress(int ordinal) {
  std::array<char, 32> address{};
  if (cudaDeviceGetPCIBusId(address.data(), int(address.size()), ordinal) == cudaSuccess) return address.data();
  (void)cudaGetLastError();
  return "";
}

llvm::Error checkGpu(const CudaOptions &options, uint64_t bytes) {
  CudaDevice device(options);
  if (llvm::Error error = device.open()) return error;
  return device.checkFree(bytes);
}

llvm::Expected<std::unique_ptr<Device>> makeCudaDevice(const CudaOptions &options) {
  auto device = std::make_unique<CudaDevice>(options);
  if (llvm::Error error = device->open()) return error;
  return device;
}

} // namespace autotp
