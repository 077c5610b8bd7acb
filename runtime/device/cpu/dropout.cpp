/// \file Dropout by a counter-based generator: the mask is a function of where an element lies.
#include "runtime/base/philox.h"
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/storage.h"

namespace autotp::cpu {

namespace {

struct Mask {
  const int64_t *counter;
  std::vector<const int64_t *> positions;
  ArgShape shape;
  uint32_t ordinal, threshold;
  bool isPerSample;

  /// What all dimensions but the last add to row and index.
  std::pair<int64_t, int64_t> outer(int64_t line) const {
    int64_t row = isPerSample ? counter[2] : 0, index = 0;
    for (size_t d = shape.size() - 1; d-- > 0; line /= shape[d]) {
      row += positions[d][line % shape[d] * 2];
      index += positions[d][line % shape[d] * 2 + 1];
    }
    return {row, index};
  }
};

template <typename T> Prepared dropoutOf(const Call &call) {
  const KernelAttributes &a = call.args.attributes;
  const TensorArg &x = call.args.operands[0];
  Mask mask{call.args.operands[1].as<int64_t>(),
            {},
            x.shape,
            uint32_t(a.integer("ordinal")),
            dropoutThreshold(a.real("ratio")),
            a.integer("per_sample") != 0};
  for (size_t k = 2; k < call.args.operands.size(); ++k)
    mask.positions.push_back(call.args.operands[k].as<int64_t>());
  const RowSizes lines = rowsOf(x);
  return ready([=, from = x.as<T>(), to = call.args.results[0].as<T>(), scale = 1 / (1 - a.real("ratio")),
                threads = call.threads] {
    const DropoutKey key{uint32_t(mask.counter[0]), mask.ordinal, uint32_t(mask.counter[1])};
    parallelFor(threads, lines.count, lines.width * 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t line = begin; line < end; ++line) {
        const auto [row, index] = mask.outer(line);
        const int64_t *last = mask.positions.back(), at = line * lines.width;
        for (int64_t i = 0; i < lines.width; ++i) {
          const bool isKept =
              key.bits(uint32_t(row + last[2 * i]), uint64_t(index + last[2 * i + 1])) >= mask.threshold;
          to[at + i] = isKept ? Narrowed<T>::from(Widened<T>(widened(from[at + i]) * Widened<T>(scale))) : T();
        }
      }
    });
    return Status::Ok;
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

} // namespace autotp::cpu
