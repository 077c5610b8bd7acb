/// \file Sums and maxima over any axes. Neighbouring axes are merged at load; sums of f32 gather in f64.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"

#include <algorithm>
#include <limits>

namespace autotp::cpu {

namespace {

/// The operand as outer positions (kept and summed ones, as offsets) and one inner dimension, kept or summed.
struct Folding {
  std::vector<int64_t> kept{0}, summed{0};
  int64_t inner = 1;
  bool innerIsSummed = false;
};

Folding fold(const ArgShape &shape, const std::vector<int64_t> &axes) {
  struct Part {
    int64_t size;
    bool summed;
  };
  std::vector<Part> parts;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool summed = std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end();
    if (!parts.empty() && parts.back().summed == summed)
      parts.back().size *= shape[i];
    else
      parts.push_back({shape[i], summed});
  }
  Folding folding;
  if (parts.empty()) return folding;
  folding.inner = parts.back().size;
  folding.innerIsSummed = parts.back().summed;
  int64_t stride = folding.inner;
  for (size_t i = parts.size() - 1; i-- > 0;) {
    std::vector<int64_t> &offsets = parts[i].summed ? folding.summed : folding.kept;
    std::vector<int64_t> longer;
    for (int64_t index = 0; index < parts[i].size; ++index)
      for (int64_t offset : offsets)
        longer.push_back(index * stride + offset);
    offsets = std::move(longer);
    stride *= parts[i].size;
  }
  return folding;
}

template <typename T> struct Sum {
  using Total = std::conditional_t<std::is_floating_point_v<T>, double, T>;
  static Total first() { return 0; }
  static Total join(Total a, Total b) { return a + b; }
  static Total along(const T *x, int64_t n) {
    constexpr int64_t kBlock = 128; // in T inside, short enough to lose little; the wide total between blocks
    Total total = 0;
    for (int64_t begin = 0; begin < n; begin += kBlock) {
      T part = 0;
      const int64_t end = std::min(n, begin + kBlock);
#pragma omp simd reduction(+ : part)
      for (int64_t i = begin; i < end; ++i)
        part += x[i];
      total += part;
    }
    return total;
  }
};

template <typename T> struct Maximum {
  using Total = T;
  static T first() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
  }
  static T join(T a, T b) { return b > a || b != b ? b : a; }
  static T along(const T *x, int64_t n) {
    T most = first();
    for (int64_t i = 0; i < n; ++i)
      most = join(most, x[i]);
    return most;
  }
};

constexpr int64_t kColumns = 128; ///< columns whose totals are held at once

template <typename T, typename Rule> Prepared reduceBy(const Call &call) {
  const TensorArg &operand = call.args.operands[0];
  Folding folding = fold(operand.shape, call.args.attributes.integers("axes"));
  const int64_t inner = folding.inner, kept = static_cast<int64_t>(folding.kept.size());
  const int64_t summedCount = static_cast<int64_t>(folding.summed.size());
  const T *x = operand.as<T>();
  T *y = call.args.results[0].as<T>();
  const int64_t blocks = folding.innerIsSummed ? 1 : (inner + kColumns - 1) / kColumns;
  const int64_t each = summedCount * (folding.innerIsSummed ? inner : std::min(inner, kColumns));
  return ready([=, folding = std::move(folding), threads = call.threads] {
    parallelFor(threads, kept * blocks, each, [&](int64_t begin, int64_t end, int) {
      for (int64_t item = begin; item < end; ++item) {
        const int64_t at = item / blocks, column = item % blocks * kColumns;
        const T *from = x + folding.kept[at] + column;
        if (folding.innerIsSummed) {
          auto total = Rule::first();
          for (int64_t offset : folding.summed)
            total = Rule::join(total, Rule::along(from + offset, inner));
          y[at] = static_cast<T>(total);
          continue;
        }
        typename Rule::Total totals[kColumns];
        const int64_t columns = std::min(kColumns, inner - column);
        std::fill_n(totals, columns, Rule::first());
        for (int64_t offset : folding.summed)
          for (int64_t i = 0; i < columns; ++i)
            totals[i] = Rule::join(totals[i], from[offset + i]);
        for (int64_t i = 0; i < columns; ++i)
          y[at * inner + column + i] = static_cast<T>(totals[i]);
      }
    });
    return Status::Ok;
  });
}

template <typename T> Prepared prepareFor(const Call &call) {
  return call.kernel == KernelId::ReduceSum ? reduceBy<T, Sum<T>>(call) : reduceBy<T, Maximum<T>>(call);
}

Prepared prepareReduce(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  switch (x.dtype) {
  case DType::F32:
    return prepareFor<float>(call);
  case DType::F64:
    return prepareFor<double>(call);
  case DType::I64:
    return prepareFor<int64_t>(call);
  case DType::I32:
    return prepareFor<int32_t>(call);
  default:
    return unsupported(call, x.dtype);
  }
}

constexpr KernelRow kRows[] = {{KernelId::ReduceSum, prepareReduce}, {KernelId::ReduceMax, prepareReduce}};

} // namespace

std::span<const KernelRow> reduceKernels() { return kRows; }

} // namespace autotp::cpu
