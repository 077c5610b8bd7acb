/// \file Running sums along rows, and the largest elements of each.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"

#include <algorithm>
#include <numeric>

namespace autotp::cpu {

namespace {

template <typename T> Prepared cumSumOf(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  const int64_t n = rowsOf(x).width, rows = rowsOf(x).count;
  const bool isReverse = call.args.attributes.integer("reverse");
  return ready([=, from = x.as<T>(), to = call.args.results[0].as<T>(), threads = call.threads] {
    parallelFor(threads, rows, n, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        std::conditional_t<std::is_floating_point_v<T>, double, T> sum = 0;
        for (int64_t i = 0; i < n; ++i) {
          const int64_t at = row * n + (isReverse ? n - 1 - i : i);
          sum += from[at];
          to[at] = static_cast<T>(sum);
        }
      }
    });
    return Status::Ok;
  });
}

Prepared prepareCumSum(Call call) {
  switch (call.args.operands[0].dtype) {
  case DType::F32:
    return cumSumOf<float>(call);
  case DType::F64:
    return cumSumOf<double>(call);
  case DType::I64:
    return cumSumOf<int64_t>(call);
  case DType::I32:
    return cumSumOf<int32_t>(call);
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

/// Whether x[a] comes before x[b].
template <typename T> bool isBefore(const T *x, int64_t a, int64_t b) {
  if (x[a] != x[b] && (x[a] == x[a] || x[b] == x[b])) return x[a] > x[b] || x[b] != x[b];
  return a < b;
}

template <typename T> Prepared topKOf(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  const int64_t n = x.shape.back(), rows = n ? x.elements() / n : 0, k = call.args.results[0].shape.back();
  return ready([=, from = x.as<T>(), values = call.args.results[0].as<T>(),
                indices = call.args.results[1].as<int64_t>(), threads = call.threads] {
    parallelFor(threads, rows, n * k, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        const T *own = from + row * n;
        int64_t *chosen = indices + row * k; // the best so far, in order
        for (int64_t i = 0, count = 0; i < n; ++i) {
          int64_t at = count;
          while (at > 0 && isBefore(own, i, chosen[at - 1]))
            --at;
          if (at == k) continue;
          if (count < k) ++count;
          std::copy_backward(chosen + at, chosen + count - 1, chosen + count);
          chosen[at] = i;
        }
        for (int64_t i = 0; i < k; ++i)
          values[row * k + i] = own[chosen[i]];
      }
    });
    return Status::Ok;
  });
}

Prepared prepareTopK(Call call) {
  switch (call.args.operands[0].dtype) {
  case DType::F32:
    return topKOf<float>(call);
  case DType::F64:
    return topKOf<double>(call);
  case DType::I64:
    return topKOf<int64_t>(call);
  case DType::I32:
    return topKOf<int32_t>(call);
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

constexpr KernelRow kRows[] = {{KernelId::CumSum, prepareCumSum}, {KernelId::TopK, prepareTopK}};

} // namespace

std::span<const KernelRow> alongRowsKernels() { return kRows; }

} // namespace autotp::cpu
