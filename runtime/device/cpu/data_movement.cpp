/// \file Copies, broadcasts, slices, concatenations and constants: any element type, moved as words of its size.
#include "runtime/device/cpu/broadcast.h"
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/storage.h"

#include <bit>
#include <cstring>

namespace autotp::cpu {

namespace {

int64_t product(const ArgShape &shape, size_t begin, size_t end) {
  int64_t n = 1;
  for (size_t i = begin; i < end; ++i)
    n *= shape[i];
  return n;
}

Prepared prepareCopy(const Call &call) {
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  const int64_t bytes = x.elements() * static_cast<int64_t>(sizeOf(x.dtype));
  return ready([from = x.as<char>(), to = y.as<char>(), bytes, threads = call.threads] {
    if (from == to) return Status::Ok;
    parallelFor(threads, bytes, 1,
                [&](int64_t begin, int64_t end, int) { std::memcpy(to + begin, from + begin, end - begin); });
    return Status::Ok;
  });
}

template <typename Word> Prepared expandOf(const Call &call) {
  auto rows = broadcastRows(call);
  if (!rows) return rows.takeError();
  return ready([x = call.args.operands[0].as<Word>(), y = call.args.results[0].as<Word>(), rows = std::move(*rows),
                threads = call.threads] {
    forEachRow(rows, threads, [&](const auto &at, int64_t to, int64_t n) {
      if (rows.innerStrides[0])
        std::copy_n(x + at[0], n, y + to);
      else
        std::fill_n(y + to, n, x[at[0]]);
    });
    return Status::Ok;
  });
}

template <typename Word> Prepared sliceOf(const Call &call) {
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  const size_t axis = static_cast<size_t>(call.args.attributes.integer("axis"));
  const int64_t start = call.args.attributes.integer("start"), step = call.args.attributes.integer("step", 1);
  const int64_t inner = product(x.shape, axis + 1, x.shape.size()), size = x.shape[axis], length = y.shape[axis];
  const int64_t rows = length * product(x.shape, 0, axis);
  return ready([=, from = x.as<Word>(), to = y.as<Word>(), threads = call.threads] {
    const bool whole = step == 1; // then a run of `length` is one copy
    const int64_t items = whole && length ? rows / length : rows, copied = whole ? length * inner : inner;
    parallelFor(threads, items, copied, [&](int64_t begin, int64_t end, int) {
      for (int64_t item = begin; item < end; ++item) {
        const int64_t outer = whole ? item : item / length, index = whole ? start : start + item % length * step;
        std::copy_n(from + (outer * size + index) * inner, copied, to + item * copied);
      }
    });
    return Status::Ok;
  });
}

Prepared prepareExpand(const Call &call) {
  return withWord(call.args.results[0].dtype, [&](auto word) { return expandOf<decltype(word)>(call); });
}

Prepared prepareSlice(const Call &call) {
  return withWord(call.args.results[0].dtype, [&](auto word) { return sliceOf<decltype(word)>(call); });
}

Prepared prepareConcat(const Call &call) {
  const TensorArg &y = call.args.results[0];
  const int64_t axis = call.args.attributes.integer("axis"), rank = static_cast<int64_t>(y.shape.size());
  const int64_t word = static_cast<int64_t>(sizeOf(y.dtype));
  const int64_t outer = product(y.shape, 0, axis), pitch = product(y.shape, axis, rank) * word;
  struct Piece {
    const char *from;
    char *to;
    int64_t bytes;
  };
  std::vector<Piece> pieces;
  int64_t at = 0;
  for (const TensorArg &x : call.args.operands) {
    const Piece piece{x.as<char>(), y.as<char>() + at, product(x.shape, axis, rank) * word};
    at += piece.bytes;
    if (piece.bytes && !(outer == 1 && piece.from == piece.to)) pieces.push_back(piece);
  }
  return ready([=, pieces = std::move(pieces), threads = call.threads] {
    for (const Piece &piece : pieces) {
      if (outer == 1) {
        parallelFor(threads, piece.bytes, 1,
                    [&](int64_t b, int64_t e, int) { std::memcpy(piece.to + b, piece.from + b, e - b); });
        continue;
      }
      parallelFor(threads, outer, piece.bytes, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i)
          std::memcpy(piece.to + i * pitch, piece.from + i * piece.bytes, piece.bytes);
      });
    }
    return Status::Ok;
  });
}

template <typename Word> Prepared fillWith(const Call &call, Word value) {
  return ready(
      [value, y = call.args.results[0].as<Word>(), n = call.args.results[0].elements(), threads = call.threads] {
        parallelFor(threads, n, 1, [&](int64_t begin, int64_t end, int) { std::fill(y + begin, y + end, value); });
        return Status::Ok;
      });
}

Prepared prepareFull(const Call &call) {
  const double real = call.args.attributes.real("value");
  const int64_t integer = call.args.attributes.integer("value");
  switch (call.args.results[0].dtype) {
  case DType::F32:
    return fillWith<float>(call, static_cast<float>(real));
  case DType::F64:
    return fillWith<double>(call, real);
  case DType::I64:
    return fillWith<int64_t>(call, integer);
  case DType::I32:
    return fillWith<int32_t>(call, static_cast<int32_t>(integer));
  case DType::Bool:
    return fillWith<uint8_t>(call, real != 0);
  case DType::U8:
    return fillWith<uint8_t>(call, static_cast<uint8_t>(integer));
  case DType::F16:
    return fillWith<Half>(call, static_cast<Half>(real));
  case DType::BF16:
    return fillWith<Bf16>(call, Narrowed<Bf16>::from(real));
  }
  return unsupported(call, call.args.results[0].dtype);
}

constexpr KernelRow kRows[] = {{KernelId::Copy, prepareCopy},
                               {KernelId::Expand, prepareExpand},
                               {KernelId::Slice, prepareSlice},
                               {KernelId::Concat, prepareConcat},
                               {KernelId::Full, prepareFull}};

} // namespace

std::span<const KernelRow> dataMovementKernels() { return kRows; }

} // namespace autotp::cpu
