/// \file How a family of CUDA kernels is listed, and what a call knows of its GPU.
#pragma once

#include "runtime/device/cuda/launch.h"
#include "runtime/device/words.h"
#include "runtime/plan/kernels/check_call.h"

#include <cublasLt.h>

#include <memory>
#include <span>
#include <utility>

namespace autotp::cuda {

using Prepared = llvm::Expected<std::unique_ptr<PreparedKernel>>;

/// Device memory where the first kernel that fails leaves its mark; 0 while none has.
using FailureMark = uint32_t;

/// The GPU as its kernels see it, at a fixed address while the device lives.
class Gpu {
public:
  cudaStream_t compute = nullptr;
  cublasLtHandle_t products = nullptr;
  FailureMark *mark = nullptr;
  bool allowsTf32 = false; ///< products may round their operands to 10 bits of fraction

  /// Memory of the device's own that holds `values`: small tables that outlive a step and that no plan knows.
  virtual llvm::Expected<const int64_t *> table(std::span<const int64_t> values) = 0;

protected:
  ~Gpu() = default;
};

struct Call : KernelCall {
  Gpu &gpu;
  uint32_t ordinal; ///< of this prepare()

  cudaStream_t stream() const { return gpu.compute; }
};

/// Says from within a kernel that it failed. All its threads write the same word, so none needs to be the first.
struct Failing {
  FailureMark *mark;
  FailureMark word;
  __device__ void operator()() const {
    if (*mark == 0) *mark = word;
  }
};
inline Failing failing(const Call &call, Status status) {
  return {call.gpu.mark, call.ordinal << 4 | uint32_t(status)};
}
inline Failure failureOf(FailureMark word) { return {Status(word & 15), word >> 4}; }

struct KernelRow {
  KernelId kernel;
  Prepared (*prepare)(const Call &call);
};

/// A prepared kernel whose run() is `body`, a callable that enqueues and returns Status.
template <typename Body> Prepared ready(Body body) {
  class Ready final : public PreparedKernel {
  public:
    explicit Ready(Body body) : body_(std::move(body)) {}
    Status run() override { return body_(); }

  private:
    Body body_;
  };
  return std::unique_ptr<PreparedKernel>(new Ready(std::move(body)));
}
/// `return taken(error)`: nvcc's front end copies a local, and so fails, where it is returned as another type.
inline llvm::Error taken(llvm::Error &error) { return std::move(error); }

inline Prepared nothingToDo() {
  return ready([] { return Status::Ok; });
}

/// Workspace of a call as T, after what `expectWorkspace` has checked.
template <typename T> T *workspaceOf(const Call &call) { return reinterpret_cast<T *>(call.args.workspace.data()); }

inline bool isAligned(const void *pointer, size_t bytes) { return reinterpret_cast<uintptr_t>(pointer) % bytes == 0; }

/// The row of any family, or null.
const KernelRow *findRow(KernelId kernel);

#define AUTOTP_FAMILY(family) std::span<const KernelRow> family();
#include "runtime/device/cuda/families.def"
#undef AUTOTP_FAMILY

} // namespace autotp::cuda
