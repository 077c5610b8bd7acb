/// \file Running sums along rows, the largest elements of each, and elements of each by index.
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

Prepared prepareCumSum(const Call &call) {
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

Prepared prepareTopK(const Call &call) {
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

/// Which elements of rows of `n` the ids name, here being those from `offset`, of `all`.
template <typename Id> struct Picks {
  const Id *ids;
  int64_t rows, k, n, offset, all;

  bool areWithin() const {
    bool within = true;
    for (int64_t i = 0; i < rows * k; ++i)
      within &= ids[i] >= -all && ids[i] < all;
    return within;
  }
  /// Where id `i` stands in its row; outside [0, n) where another rank has it.
  int64_t at(int64_t i) const {
    const auto id = static_cast<int64_t>(ids[i]);
    return (id < 0 ? id + all : id) - offset;
  }
};

template <typename Id> Picks<Id> picksOf(const Call &call, const TensorArg &ids, const TensorArg &rows) {
  const int64_t n = rows.shape.back(), k = ids.shape.back(), offset = call.args.attributes.integer("offset");
  return {ids.as<Id>(), k ? ids.elements() / k : 0, k, n, offset, call.args.attributes.integer("rows", offset + n)};
}

template <typename Word, typename Id> Prepared gatherElementsOf(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  return ready([picks = picksOf<Id>(call, call.args.operands[1], x), from = x.as<Word>(),
                to = call.args.results[0].as<Word>(), threads = call.threads] {
    if (!picks.areWithin()) return Status::IndexOutOfRange;
    parallelFor(threads, picks.rows, picks.k, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin * picks.k; i < end * picks.k; ++i) {
        const int64_t at = picks.at(i);
        to[i] = at >= 0 && at < picks.n ? from[i / picks.k * picks.n + at] : Word();
      }
    });
    return Status::Ok;
  });
}

template <typename T, typename Id> Prepared scatterElementsOf(const Call &call) {
  const TensorArg &x = call.args.results[0];
  return ready([picks = picksOf<Id>(call, call.args.operands[0], x), dy = call.args.operands[1].as<T>(), to = x.as<T>(),
                rows = rowsOf(x).count, threads = call.threads] {
    if (!picks.areWithin()) return Status::IndexOutOfRange;
    parallelFor(threads, rows, picks.n, [&](int64_t begin, int64_t end, int) {
      std::fill(to + begin * picks.n, to + end * picks.n, T());
      for (int64_t i = begin * picks.k; i < end * picks.k; ++i) {
        const int64_t at = picks.at(i);
        if (at >= 0 && at < picks.n) to[i / picks.k * picks.n + at] += dy[i];
      }
    });
    return Status::Ok;
  });
}

Prepared prepareGatherElements(const Call &call) {
  const bool isWide = call.args.operands[1].dtype == DType::I64;
  return withWord(call.args.operands[0].dtype, [&](auto word) {
    return isWide ? gatherElementsOf<decltype(word), int64_t>(call) : gatherElementsOf<decltype(word), int32_t>(call);
  });
}

template <typename T> Prepared scatterElementsBy(const Call &call) {
  return call.args.operands[0].dtype == DType::I64 ? scatterElementsOf<T, int64_t>(call)
                                                   : scatterElementsOf<T, int32_t>(call);
}

Prepared prepareScatterElements(const Call &call) {
  const DType dtype = call.args.results[0].dtype;
  if (dtype == DType::F32) return scatterElementsBy<float>(call);
  if (dtype == DType::F64) return scatterElementsBy<double>(call);
  return unsupported(call, dtype);
}

constexpr KernelRow kRows[] = {{KernelId::CumSum, prepareCumSum},
                               {KernelId::GatherElements, prepareGatherElements},
                               {KernelId::ScatterElements, prepareScatterElements},
                               {KernelId::TopK, prepareTopK}};

} // namespace

std::span<const KernelRow> alongRowsKernels() { return kRows; }

} // namespace autotp::cpu
