/// \file Calls of every kernel, of one layer's and one step's sizes: what the benchmark times and the page of devices
/// asks for.
#pragma once

#include "runtime/device/device.h"
#include "runtime/plan/kernels/workspace.h"

#include <string>
#include <vector>

namespace autotp::bench {

/// A Llama's sizes. `weights`: elements of one call of the optimizer.
struct Sizes {
  int64_t layers, batch, seq, hidden, heads, kvHeads, ffn, vocab, weights;
  int64_t tokens() const { return batch * seq; }
  int64_t head() const { return hidden / heads; }
  /// Of all products and of causal attention in one training step, forward and backward.
  double stepFlops() const;
};

/// Llama-3.2-1B at batch 4 x 1024; the optimizer's call is a bucket of 64 Mi elements.
constexpr Sizes kLlama1B{16, 4, 1024, 2048, 32, 8, 8192, 128256, int64_t(64) << 20};
constexpr Sizes kTiny{2, 1, 8, 32, 4, 2, 48, 40, 100};

struct KernelCall {
  std::string name; ///< the kernel's, and what it is called for
  KernelId kernel;
  std::vector<TensorShape> operands, results;
  KernelAttributes attributes = {};
  std::vector<int> inPlace = {}; ///< for each result the operand whose address it has
  double flops = 0;              ///< above 0: the call is bound by arithmetic, and measured in it
  double bytes = 0;              ///< that it must move; 0: every operand and result once
  int64_t idsBelow = 0;          ///< integer operands hold [0, idsBelow)

  double bytesMoved() const;
};

/// What an operand holds, or the beginning of it if that is long: reals in [0.1, 1), ids below `idsBelow`, flags.
std::vector<std::byte> contentsOf(const TensorArg &operand, int64_t idsBelow);

/// Writes `beginning` into an operand, again and again until it is full.
using FillFn = llvm::function_ref<llvm::Error(const TensorArg &operand, llvm::ArrayRef<std::byte> beginning)>;

/// Allocates what a call needs, for a rank of so many threads on the cpu device, and fills its operands.
llvm::Expected<KernelArgs> layOut(Device &device, DeviceKind kind, const KernelCall &call, int threads, FillFn fill);

/// At least one call of every kernel, in the order of kernels.def.
std::vector<KernelCall> kernelCalls(const Sizes &sizes);

} // namespace autotp::bench
