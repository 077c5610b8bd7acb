/// \file What the executor knows of a device: memory, and kernels made ready at load.
#pragma once

#include "runtime/plan/kernels/kernel_call.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace autotp {

/// How a kernel ended. Text is made in one place, by describe() in execute.
enum class Status : uint8_t { Ok, IndexOutOfRange, NoValidLabels, LibraryFailed };

/// A kernel call made ready: addresses, shapes and library primitives are fixed. Owned by one rank and one thread.
class PreparedKernel {
public:
  virtual ~PreparedKernel() = default;
  /// The host computes here and returns how it ended. A GPU puts the call into its compute queue and returns Ok, or
  /// LibraryFailed where it cannot; how the call ended is said by Device::synchronise().
  /// Allocates nothing, takes no lock, and does not throw.
  virtual Status run() = 0;
};

/// Queues of a device. Work in one runs in order; between them only events order it. The host has none: it runs at
/// once.
enum class Stream : uint8_t { Compute, Communication };
using EventId = uint32_t;

/// The first kernel that failed since the last synchronise(). `kernel` counts prepare() calls of its device from 0.
struct Failure {
  Status status = Status::Ok;
  uint32_t kernel = 0;
};

enum class Reduce : uint8_t { Sum, Max };

/// outs[o][i - shift] = ins[0][i] combined with all other ins[m][i], in order, for every i in [begin, end). Of
/// f32, f64, bf16, f16, i32 and i64, small floats with f32 sums; a single operand is copied, whatever its dtype. An
/// operand may be its own result.
struct Combination {
  std::span<const void *const> ins;
  std::span<void *const> outs;
  int64_t begin, end, shift;
  DType dtype;
  Reduce reduce;
};

/// The host, or one GPU, owned by one rank and one thread. What upload() to wait() cannot do is said by synchronise().
class Device {
public:
  virtual ~Device() = default;
  /// `bytes` of 256-byte aligned memory that holds zeros, owned by the device, freed with it. On the host a page of it
  /// is made when it is first touched, by whoever touches it. At load. Errors: memory that the device does not have.
  virtual llvm::Expected<std::span<std::byte>> allocate(size_t bytes) = 0;
  /// Errors: a kernel or dtype that this device lacks, operands of a wrong number, or a workspace that is too small.
  virtual llvm::Expected<std::unique_ptr<PreparedKernel>> prepare(KernelId kernel, KernelArgs args) = 0;

  /// In the compute queue. `from` is host memory that may be reused when upload() returns.
  virtual void upload(std::byte *to, const void *from, size_t bytes) = 0;
  virtual void zero(std::span<std::byte> memory) = 0;
  /// After all that is in the compute queue; the bytes are there when it returns.
  virtual void download(void *to, const std::byte *from, size_t bytes) = 0;

  /// At load.
  virtual llvm::Expected<EventId> makeEvent() = 0;
  virtual void record(Stream stream, EventId event) = 0;
  virtual void wait(Stream stream, EventId event) = 0;
  /// The same for an event that another rank's device recorded: of the same kind, in this process.
  virtual void waitFor(Stream stream, Device &owner, EventId event) = 0;
  /// In the communication queue. Operands may be memory of other ranks' devices of the same kind, in this process.
  virtual void combine(const Combination &combination) = 0;
  /// What a library needs to enqueue by itself: a cudaStream_t. Null on the host.
  virtual void *nativeStream(Stream stream) = 0;

  /// Waits for both queues. Errors: a launch or transfer since the last call that failed, after which the device is of
  /// no more use.
  virtual llvm::Expected<Failure> synchronise() = 0;

  /// `section` made one kernel: a GPU calls it once, now, and replays what it enqueued, waits and events among it; the
  /// host calls it at each run(). Everything in it must have run before: libraries load their code on first use.
  virtual llvm::Expected<std::unique_ptr<PreparedKernel>> capture(std::function<Status()> section) = 0;
};

} // namespace autotp
