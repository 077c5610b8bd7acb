/// \file What the executor knows of a device: memory, and kernels made ready at load.
#pragma once

#include "runtime/plan/dtype.h"
#include "runtime/plan/kernel_id.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace autotp {

/// How a kernel ended. Text is made in one place, by describe() in execute.
enum class Status : uint8_t { Ok, IndexOutOfRange, NoValidLabels, LibraryFailed };

/// A dense row-major tensor at a fixed address in the arena; the memory is the arena's.
struct TensorArg {
  void *data = nullptr;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;

  int64_t elements() const {
    int64_t n = 1;
    for (int64_t d : shape)
      n *= d;
    return n;
  }
  template <typename T> T *as() const { return static_cast<T *>(data); }
};

/// Named constants of a kernel call; each kernel's are listed in kernels.def.
class KernelAttributes {
public:
  using Value = std::variant<int64_t, double, std::vector<int64_t>>;
  void set(std::string name, Value value) { values_.emplace_back(std::move(name), std::move(value)); }
  int64_t integer(llvm::StringRef name, int64_t otherwise = 0) const;
  double real(llvm::StringRef name, double otherwise = 0) const;
  std::vector<int64_t> integers(llvm::StringRef name) const;

private:
  std::vector<std::pair<std::string, Value>> values_;
};

/// All that a kernel call fixes at load.
struct KernelArgs {
  std::vector<TensorArg> operands, results;
  KernelAttributes attributes;
  std::span<std::byte> workspace; // planned by workspaceBytes() of runtime/plan/workspace.h; 64-byte aligned
  int dpRank = 0;                 // for kernels with {dp_slice}
};

/// A kernel call made ready: addresses, shapes and library primitives are fixed. Owned by one rank and one thread.
class PreparedKernel {
public:
  virtual ~PreparedKernel() = default;
  /// Allocates nothing, takes no lock, and does not throw.
  virtual Status run() = 0;
};

/// The host, or one GPU, owned by one rank and one thread.
class Device {
public:
  virtual ~Device() = default;
  /// `bytes` of zeroed, 256-byte aligned memory, owned by the device, freed with it. Called once, at load.
  virtual llvm::Expected<std::span<std::byte>> allocate(size_t bytes) = 0;
  /// Errors: a kernel or dtype that this device lacks, operands of a wrong number, or a workspace that is too small.
  virtual llvm::Expected<std::unique_ptr<PreparedKernel>> prepare(KernelId kernel, KernelArgs args) = 0;
};

/// The host: oneDNN for products, kernels of our own for the rest. `threads` is OpenMP threads of this rank.
std::unique_ptr<Device> makeCpuDevice(int threads);

} // namespace autotp
