/// \file Products in pieces, where these are faster than one call of the library.
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/product.h"
#include "runtime/plan/kernels/product_workspace.h"

#include <atomic>
#include <cstring>

namespace autotp::cpu {

/// The call with all of its workspace but the last `bytes`, where `last` then points.
Call withoutLast(const Call &call, size_t bytes, std::byte *&last) {
  Call rest = call;
  last = call.args.workspace.data() + call.args.workspace.size() - bytes;
  rest.args.workspace = call.args.workspace.first((call.args.workspace.size() - bytes) / 64 * 64);
  return rest;
}

namespace {

ProductTensors columnsOf(const ProductTensors &t, int64_t begin, int64_t end) {
  ProductTensors piece = t;
  piece.bStride = piece.cStride = t.b.shape[1];
  piece.b.data = t.b.as<float>() + begin;
  piece.c.data = t.c.as<float>() + begin;
  piece.b.shape[1] = piece.c.shape[1] = end - begin;
  if (t.bias.data) piece.bias = {t.bias.as<float>() + begin, DType::F32, {end - begin}};
  return piece;
}

/// a^T b, each block of columns of b through a copy whose rows spread over the sets of a cache.
Prepared byColumns(const Call &call, const ProductTensors &t) {
  const int64_t k = t.b.shape[0], n = t.b.shape[1];
  if (llvm::Error error = expectWorkspace(call, blockBytes(k))) return error;
  std::byte *copied = nullptr;
  const Call inner = withoutLast(call, blockBytes(k), copied);
  std::vector<std::unique_ptr<PreparedKernel>> blocks;
  for (int64_t j = 0; j < n; j += kBlockColumns) {
    ProductTensors block = columnsOf(t, j, j + kBlockColumns);
    block.b.data = copied;
    block.bStride = kBlockStride;
    Prepared made = wholeProduct(inner, block, true, false);
    if (!made) return made.takeError();
    blocks.push_back(std::move(*made));
  }
  return ready([k, n, from = t.b.as<float>(), to = reinterpret_cast<float *>(copied), blocks = std::move(blocks),
                threads = call.threads] {
    for (size_t i = 0; i < blocks.size(); ++i) {
      parallelFor(threads, k, kBlockColumns, [&](int64_t begin, int64_t end, int) {
        for (int64_t row = begin; row < end; ++row)
          std::memcpy(to + row * kBlockStride, from + row * n + int64_t(i) * kBlockColumns,
                      kBlockColumns * sizeof(float));
      });
      if (const Status status = blocks[i]->run(); status != Status::Ok) return status;
    }
    return Status::Ok;
  });
}

/// Before AVX-512, whose kernels were not seen to need it.
bool goesByColumns([[maybe_unused]] const ProductTensors &t, [[maybe_unused]] bool transA,
                   [[maybe_unused]] bool transB) {
#if defined(__AVX512F__)
  return false;
#else
  const bool isF32 = t.a.dtype == DType::F32 && !t.bias.data;
  return isF32 && transA && !transB && t.a.shape.size() == 2 && t.b.shape.size() == 2 &&
         autotp::goesByColumns(t.a.shape[1], t.b.shape[1]);
#endif
}

/// Columns that each thread has at least where threads make pieces, and what a piece is a multiple of.
constexpr int64_t kThreadsColumns = 128, kColumnsUnit = 64;
/// Elements of b from which on packing it shows: it does not stay in a core's cache.
constexpr int64_t kLargeOperand = int64_t(1) << 20;

/// Where each thread makes columns of its own, as a product of one thread. Divided by oneDNN 2.6, products with a large b ran 5
/// to 20 % slower on AMD's Zen 5, measured for shapes of three models; those of a transposed b and of bf16 did not, nor any before
/// AVX-512.
bool goesByThreads([[maybe_unused]] const Call &call, [[maybe_unused]] const ProductTensors &t,
                   [[maybe_unused]] bool transB) {
#if defined(__AVX512F__)
  return call.threads > 1 && !transB && t.a.dtype == DType::F32 && t.a.shape.size() == 2 && t.b.shape.size() == 2 &&
         t.b.elements() >= kLargeOperand && t.b.shape[1] / call.threads >= kThreadsColumns;
#else
  return false;
#endif
}

Prepared byThreads(const Call &call, const ProductTensors &t, bool transA) {
  const int64_t columns = t.b.shape[1], units = columns / kColumnsUnit;
  const size_t bytes = call.args.workspace.size() / size_t(call.threads) / 64 * 64;
  std::vector<std::unique_ptr<PreparedKernel>> pieces;
  for (int64_t i = 0; i < call.threads; ++i) {
    Call own = call;
    own.threads = 1;
    own.args.workspace = call.args.workspace.subspan(size_t(i) * bytes, bytes);
    const int64_t begin = units * i / call.threads * kColumnsUnit;
    const int64_t end = i + 1 == call.threads ? columns : units * (i + 1) / call.threads * kColumnsUnit;
    Prepared piece = wholeProduct(own, columnsOf(t, begin, end), transA, false);
    if (!piece) return piece.takeError();
    pieces.push_back(std::move(*piece));
  }
  return ready([pieces = std::move(pieces), threads = call.threads] {
    std::atomic<Status> status = Status::Ok;
    parallelFor(threads, threads, kSerialElements, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        if (const Status own = pieces[size_t(i)]->run(); own != Status::Ok) status = own;
    });
    return status.load();
  });
}

} // namespace

Prepared product(const Call &call, const ProductTensors &tensors, bool transA, bool transB) {
  if (goesByColumns(tensors, transA, transB)) return byColumns(call, tensors);
  if (goesByThreads(call, tensors, transB)) return byThreads(call, tensors, transA);
  return wholeProduct(call, tensors, transA, transB);
}

} // namespace autotp::cpu
