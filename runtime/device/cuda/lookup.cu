/// \file Rows of a table by index, and the gradient of that.
/// The gradient adds to each row in the order of its ids, whatever the order in which threads run: ids are counted by
/// row with atomics on integers, each row gets a list as long as its count, and each list is put in order. Where a list
/// lies differs from run to run; what it holds does not.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/plan/kernels/cuda_workspace.h"

namespace autotp::cuda {

namespace {

struct Table {
  int64_t rows, width, offset,
      idLimit; ///< ids are in [-idLimit, idLimit); row = id - offset, where that is in [0, rows)

  __device__ bool holds(int64_t id) const { return id >= -idLimit && id < idLimit; }
  /// A negative index counts from the end of all rows.
  __device__ int64_t rowOf(int64_t id) const { return (id < 0 ? id + idLimit : id) - offset; }
};

Table tableOf(const Call &call, const TensorArg &table) {
  Table t{table.shape[0], 1, call.args.attributes.integer("offset"), 0};
  for (size_t i = 1; i < table.shape.size(); ++i)
    t.width *= table.shape[i];
  t.idLimit = call.args.attributes.integer("rows", t.offset + t.rows); // absent: every id is a row of this table
  return t;
}

template <typename Word, typename Id>
__global__ void gatherKernel(const Word *from, const Id *ids, Word *to, Table t, int64_t count, Failing outOfRange) {
  const int64_t at = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const int64_t i = quotient(at, t.width), column = at - i * t.width, id = ids[i], row = t.rowOf(id);
  const bool isIn = t.holds(id);
  if (!isIn) outOfRange();
  to[at] = isIn && row >= 0 && row < t.rows ? from[row * t.width + column] : Word{};
}

template <typename Word, typename Id> Prepared gatherWords(const Call &call, int64_t wordsPerElement) {
  const TensorArg &table = call.args.operands[0], &ids = call.args.operands[1];
  Table t = tableOf(call, table);
  t.width = wordsPerElement > 0 ? t.width * wordsPerElement : t.width / -wordsPerElement;
  const int64_t count = ids.elements() * t.width;
  if (count > kMostBlocks * 256) return mistake(call, "has more elements than a grid has threads");
  return ready([=, from = table.as<Word>(), id = ids.as<Id>(), to = call.args.results[0].as<Word>(),
                outOfRange = failing(call, Status::IndexOutOfRange), stream = call.stream()] {
    return launch(gatherKernel<Word, Id>, overItems(count), stream, from, id, to, t, count, outOfRange);
  });
}

template <typename Id> Prepared gatherBy(const Call &call) {
  const TensorArg &table = call.args.operands[0], &to = call.args.results[0];
  const int64_t word = int64_t(sizeOf(table.dtype)), perPack = 16 / word;
  int64_t width = 1;
  for (size_t i = 1; i < table.shape.size(); ++i)
    width *= table.shape[i];
  if (width % perPack == 0 && isAligned(table.data, 16) && isAligned(to.data, 16))
    return gatherWords<uint4, Id>(call, -perPack);
  return withWord(table.dtype, [&](auto word) { return gatherWords<decltype(word), Id>(call, 1); });
}

/// The workspace of a scatter; cudaScatterBytes() is its size.
struct Lists {
  uint32_t *counts, *begins, *taken, *unordered, *ordered; ///< taken: list entries given out so far
};

Lists listsOf(const Call &call, int64_t rows, int64_t ids) {
  uint32_t *at = workspaceOf<uint32_t>(call);
  return {at, at + rows, at + 2 * rows, at + 2 * rows + 1, at + 2 * rows + 1 + ids};
}

template <typename Id> __device__ int64_t rowOf(const Id *ids, int64_t i, const Table &t) {
  const int64_t id = ids[i], row = t.rowOf(id);
  return t.holds(id) && row >= 0 && row < t.rows ? row : -1;
}

template <typename Id>
__global__ void countKernel(const Id *ids, int64_t count, Table t, Lists lists, Failing outOfRange) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  if (!t.holds(ids[i])) outOfRange();
  if (const int64_t row = rowOf(ids, i, t); row >= 0) atomicAdd(&lists.counts[row], 1u);
}

__global__ void beginKernel(int64_t rows, Lists lists) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row < rows && lists.counts[row]) lists.begins[row] = atomicAdd(lists.taken, lists.counts[row]);
}

/// `begins` is moved to each list's end meanwhile, and orderKernel() steps back from there.
template <typename Id> __global__ void listKernel(const Id *ids, int64_t count, Table t, Lists lists) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  if (const int64_t row = rowOf(ids, i, t); row >= 0) lists.unordered[atomicAdd(&lists.begins[row], 1u)] = uint32_t(i);
}

/// An id's place in its list is the number of smaller positions there.
template <typename Id> __global__ void orderKernel(const Id *ids, int64_t count, Table t, Lists lists) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const int64_t row = rowOf(ids, i, t);
  if (row < 0) return;
  const uint32_t end = lists.begins[row], begin = end - lists.counts[row];
  uint32_t place = begin;
  for (uint32_t at = begin; at < end; ++at)
    place += lists.unordered[at] < uint32_t(i);
  lists.ordered[place] = uint32_t(i);
}

/// Every element of the table is written: 0 where no id names its row. A thread sums V columns of one row.
template <typename T, int V> __global__ void sumKernel(const T *dy, T *to, Table t, Lists lists, int64_t count) {
  const int64_t at = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  if (at >= count) return;
  const int64_t row = quotient(at, t.width), column = at - row * t.width;
  Pack<T, V> sum{};
  if (const uint32_t listed = lists.counts[row]) {
    const uint32_t *list = lists.ordered + (lists.begins[row] - listed);
    for (uint32_t k = 0; k < listed; ++k) {
      const auto x = *reinterpret_cast<const Pack<T, V> *>(dy + int64_t(list[k]) * t.width + column);
      for (int j = 0; j < V; ++j)
        sum.at[j] += x.at[j];
    }
  }
  *reinterpret_cast<Pack<T, V> *>(to + at) = sum;
}

template <typename T, typename Id> Prepared scatterOf(const Call &call) {
  const TensorArg &ids = call.args.operands[0], &dy = call.args.operands[1], &table = call.args.results[0];
  const Table t = tableOf(call, table);
  const int64_t n = ids.elements(), count = table.elements();
  constexpr int kPack = 16 / int(sizeof(T));
  if (n > UINT32_MAX / 2 || count > kMostBlocks * 256) return mistake(call, "is too large for this device's indices");
  if (llvm::Error error = expectWorkspace(call, cudaScatterBytes(n, t.rows))) return taken(error);
  const bool fits = t.width % kPack == 0 && isAligned(dy.data, 16) && isAligned(table.data, 16);
  return ready([=, lists = listsOf(call, t.rows, n), id = ids.as<Id>(), from = dy.as<T>(), to = table.as<T>(),
                outOfRange = failing(call, Status::IndexOutOfRange), stream = call.stream()] {
    const LaunchShape each = overItems(n);
    if (cudaMemsetAsync(lists.counts, 0, size_t(2 * t.rows + 1) * sizeof(uint32_t), stream) != cudaSuccess)
      return Status::LibraryFailed;
    Status status = launch(countKernel<Id>, each, stream, id, n, t, lists, outOfRange);
    if (status == Status::Ok) status = launch(beginKernel, overItems(t.rows), stream, t.rows, lists);
    if (status == Status::Ok) status = launch(listKernel<Id>, each, stream, id, n, t, lists);
    if (status == Status::Ok) status = launch(orderKernel<Id>, each, stream, id, n, t, lists);
    if (status != Status::Ok) return status;
    if (fits) return launch(sumKernel<T, kPack>, overItems(count / kPack), stream, from, to, t, lists, count);
    return launch(sumKernel<T, 1>, overItems(count), stream, from, to, t, lists, count);
  });
}

template <typename Id> Prepared scatterBy(const Call &call) {
  const DType dtype = call.args.results[0].dtype;
  if (dtype == DType::F32) return scatterOf<float, Id>(call);
  if (dtype == DType::F64) return scatterOf<double, Id>(call);
  return unsupported(call, dtype);
}

template <typename Id>
__global__ void wrapKernel(const Id *ids, Id *to, int64_t count, int64_t size, Failing outOfRange) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const int64_t id = ids[i];
  if (id < -size || id >= size) outOfRange();
  to[i] = Id(id < 0 ? id + size : id);
}

template <typename Id> Prepared wrapOf(const Call &call) {
  const int64_t count = call.args.results[0].elements();
  if (count > kMostBlocks * 256) return mistake(call, "has more elements than a grid has threads");
  return ready([=, ids = call.args.operands[0].as<Id>(), to = call.args.results[0].as<Id>(),
                size = call.args.attributes.integer("size"), outOfRange = failing(call, Status::IndexOutOfRange),
                stream = call.stream()] {
    return launch(wrapKernel<Id>, overItems(count), stream, ids, to, count, size, outOfRange);
  });
}

Prepared prepareWrapIndex(const Call &call) {
  const DType dtype = call.args.operands[0].dtype;
  if (dtype == DType::I64) return wrapOf<int64_t>(call);
  if (dtype == DType::I32) return wrapOf<int32_t>(call);
  return unsupported(call, dtype);
}

Prepared prepareGather(const Call &call) {
  return call.args.operands[1].dtype == DType::I64 ? gatherBy<int64_t>(call) : gatherBy<int32_t>(call);
}

Prepared prepareScatterAdd(const Call &call) {
  return call.args.operands[0].dtype == DType::I64 ? scatterBy<int64_t>(call) : scatterBy<int32_t>(call);
}

constexpr KernelRow kRows[] = {{KernelId::Gather, prepareGather},
                               {KernelId::ScatterAdd, prepareScatterAdd},
                               {KernelId::WrapIndex, prepareWrapIndex}};

} // namespace

std::span<const KernelRow> lookupKernels() { return kRows; }

} // namespace autotp::cuda
