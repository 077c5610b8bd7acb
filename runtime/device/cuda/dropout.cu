/// \file Dropout by a counter-based generator: the mask is a function of where an element lies.
#include "runtime/base/philox.h"
#include "runtime/device/cuda/elementwise.cuh"

namespace autotp::cuda {

namespace {

constexpr int kMostDimensions = 8;

struct Mask {
  const int64_t *counter;
  const int64_t *positions[kMostDimensions];
  int64_t shape[kMostDimensions];
  int rank;
  uint32_t ordinal, threshold;
  bool isPerSample;
};

template <typename T> __global__ void dropoutKernel(Mask m, const T *x, T *y, int64_t count, Widened<T> scale) {
  const int64_t at = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const DropoutKey key{uint32_t(m.counter[0]), m.ordinal, uint32_t(m.counter[1])};
  int64_t row = m.isPerSample ? m.counter[2] : 0, index = 0, rest = at;
#pragma unroll
  for (int d = kMostDimensions - 1; d >= 0; --d) {
    if (d >= m.rank) continue;
    const int64_t before = quotient(rest, m.shape[d]), i = rest - before * m.shape[d];
    row += m.positions[d][2 * i];
    index += m.positions[d][2 * i + 1];
    rest = before;
  }
  const bool isKept = key.bits(uint32_t(row), uint64_t(index)) >= m.threshold;
  y[at] = Narrowed<T>::from(isKept ? Widened<T>(widened(x[at]) * scale) : Widened<T>(0));
}

template <typename T> Prepared dropoutOf(const Call &call) {
  const KernelAttributes &a = call.args.attributes;
  const TensorArg &x = call.args.operands[0];
  if (x.shape.size() > size_t(kMostDimensions)) return mistake(call, "has more dimensions than the cuda device takes");
  const int64_t count = x.elements();
  if (count > kMostBlocks * 256) return mistake(call, "has more elements than a grid has threads");
  if (count == 0) return nothingToDo();
  Mask mask{};
  mask.counter = call.args.operands[1].as<int64_t>();
  mask.rank = int(x.shape.size());
  for (int d = 0; d < mask.rank; ++d) {
    mask.shape[d] = x.shape[size_t(d)];
    mask.positions[d] = call.args.operands[size_t(2 + d)].as<int64_t>();
  }
  mask.ordinal = uint32_t(a.integer("ordinal"));
  mask.threshold = dropoutThreshold(a.real("ratio"));
  mask.isPerSample = a.integer("per_sample") != 0;
  return ready([=, from = x.as<T>(), to = call.args.results[0].as<T>(), scale = Widened<T>(1 / (1 - a.real("ratio"))),
                stream = call.stream()] {
    return launch(dropoutKernel<T>, overItems(count), stream, mask, from, to, count, scale);
  });
}

Prepared prepareDropout(const Call &call) {
  switch (call.args.operands[0].dtype) {
  case DType::F32:
    return dropoutOf<float>(call);
  case DType::F64:
    return dropoutOf<double>(call);
  case DType::BF16:
    return dropoutOf<Bf16>(call);
  case DType::F16:
    return dropoutOf<Half>(call);
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

constexpr KernelRow kRows[] = {{KernelId::Dropout, prepareDropout}};

} // namespace

std::span<const KernelRow> dropoutKernels() { return kRows; }

} // namespace autotp::cuda
