/// \file A kernel call as it is made ready when a plan is loaded: its tensors, attributes and workspace.
#pragma once

#include "runtime/plan/dtype.h"
#include "runtime/plan/kernels/kernel_id.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace autotp {

using ArgShape = std::vector<int64_t>; ///< of a TensorArg

/// A dense row-major tensor at a fixed address in the arena; the memory is the arena's.
struct TensorArg {
  void *data = nullptr;
  DType dtype = DType::F32;
  ArgShape shape;

  int64_t elements() const {
    int64_t n = 1;
    for (int64_t d : shape)
      n *= d;
    return n;
  }
  template <typename T> T *as() const { return static_cast<T *>(data); }
};

/// Named constants of a kernel call; each kernel's are listed at its row.
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
  std::span<std::byte> workspace; // planned by workspaceBytes() of runtime/plan/kernels/workspace.h; 64-byte aligned
  int dpRank = 0;                 // for kernels with {dp_slice}
};

/// What every device is asked to make ready; each device's own Call adds what its kernels need.
struct KernelCall {
  KernelId kernel;
  KernelArgs args;
  llvm::StringRef device; ///< its name, for messages
};

} // namespace autotp
