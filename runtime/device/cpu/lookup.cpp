/// \file Rows of a table by index, and the gradient of that.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"

#include <algorithm>

namespace autotp::cpu {

namespace {

/// rows absent: every id must be a row of this table.
int64_t rowsOf(const Call &call, int64_t offset, int64_t tableRows) {
  return call.args.attributes.integer("rows", offset + tableRows);
}

template <typename Id> bool allWithin(const Id *ids, int64_t n, int64_t rows) {
  bool within = true;
  for (int64_t i = 0; i < n; ++i)
    within &= ids[i] >= -rows && ids[i] < rows;
  return within;
}

/// A negative index counts from the end of the `rows`.
template <typename Id> int64_t wrapped(Id id, int64_t rows) { return static_cast<int64_t>(id) + (id < 0 ? rows : 0); }

template <typename Word, typename Id> Prepared gatherOf(const Call &call) {
  const TensorArg &table = call.args.operands[0], &ids = call.args.operands[1];
  int64_t width = 1;
  for (size_t i = 1; i < table.shape.size(); ++i)
    width *= table.shape[i];
  const int64_t tableRows = table.shape[0], offset = call.args.attributes.integer("offset");
  return ready([=, rows = rowsOf(call, offset, tableRows), from = table.as<Word>(), id = ids.as<Id>(),
                n = ids.elements(), to = call.args.results[0].as<Word>(), threads = call.threads] {
    if (!allWithin(id, n, rows)) return Status::IndexOutOfRange;
    parallelFor(threads, n, width, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = wrapped(id[i], rows) - offset;
        if (row >= 0 && row < tableRows)
          std::copy_n(from + row * width, width, to + i * width);
        else
          std::fill_n(to + i * width, width, Word());
      }
    });
    return Status::Ok;
  });
}

/// Each thread owns table rows and reads all ids, so that additions to a row happen in the order of the ids.
template <typename T, typename Id> Prepared scatterOf(const Call &call) {
  const TensorArg &ids = call.args.operands[0], &table = call.args.results[0];
  int64_t width = 1;
  for (size_t i = 1; i < table.shape.size(); ++i)
    width *= table.shape[i];
  const int64_t tableRows = table.shape[0], offset = call.args.attributes.integer("offset");
  return ready([=, rows = rowsOf(call, offset, tableRows), id = ids.as<Id>(), n = ids.elements(),
                dy = call.args.operands[1].as<T>(), to = table.as<T>(), threads = call.threads] {
    if (!allWithin(id, n, rows)) return Status::IndexOutOfRange;
    parallelFor(threads, tableRows, width, [&](int64_t begin, int64_t end, int) {
      std::fill(to + begin * width, to + end * width, T());
      for (int64_t i = 0; i < n; ++i) {
        const int64_t row = wrapped(id[i], rows) - offset;
        if (row < begin || row >= end) continue;
        T *sum = to + row * width;
        const T *x = dy + i * width;
#pragma omp simd
        for (int64_t j = 0; j < width; ++j)
          sum[j] += x[j];
      }
    });
    return Status::Ok;
  });
}

template <typename Id> Prepared wrapOf(const Call &call) {
  const Id *ids = call.args.operands[0].as<Id>();
  Id *to = call.args.results[0].as<Id>();
  return ready([ids, to, n = call.args.results[0].elements(), size = call.args.attributes.integer("size")] {
    if (!allWithin(ids, n, size)) return Status::IndexOutOfRange;
    for (int64_t i = 0; i < n; ++i)
      to[i] = static_cast<Id>(wrapped(ids[i], size));
    return Status::Ok;
  });
}

template <typename Id> Prepared gatherBy(const Call &call) {
  return withWord(call.args.operands[0].dtype, [&](auto word) { return gatherOf<decltype(word), Id>(call); });
}

template <typename Id> Prepared scatterBy(const Call &call) {
  const DType dtype = call.args.results[0].dtype;
  if (dtype == DType::F32) return scatterOf<float, Id>(call);
  if (dtype == DType::F64) return scatterOf<double, Id>(call);
  return unsupported(call, dtype);
}

Prepared prepareGather(const Call &call) {
  return call.args.operands[1].dtype == DType::I64 ? gatherBy<int64_t>(call) : gatherBy<int32_t>(call);
}

Prepared prepareScatterAdd(const Call &call) {
  return call.args.operands[0].dtype == DType::I64 ? scatterBy<int64_t>(call) : scatterBy<int32_t>(call);
}

Prepared prepareWrapIndex(const Call &call) {
  const DType dtype = call.args.operands[0].dtype;
  if (dtype == DType::I64) return wrapOf<int64_t>(call);
  if (dtype == DType::I32) return wrapOf<int32_t>(call);
  return unsupported(call, dtype);
}

constexpr KernelRow kRows[] = {{KernelId::Gather, prepareGather},
                               {KernelId::ScatterAdd, prepareScatterAdd},
                               {KernelId::WrapIndex, prepareWrapIndex}};

} // namespace

std::span<const KernelRow> lookupKernels() { return kRows; }

} // namespace autotp::cpu
