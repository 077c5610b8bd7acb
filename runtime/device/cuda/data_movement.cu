/// \file Copies, broadcasts, slices, concatenations and constants: any element type, moved as words of its size.
#include "runtime/device/cuda/moved_rows.cuh"

#include <cstring>

namespace autotp::cuda {

namespace {

int64_t product(const ArgShape &shape, size_t begin, size_t end) {
  int64_t n = 1;
  for (size_t i = begin; i < end; ++i)
    n *= shape[i];
  return n;
}

Status copyBytes(void *to, const void *from, size_t bytes, cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream) == cudaSuccess ? Status::Ok
                                                                                           : Status::LibraryFailed;
}

Prepared prepareCopy(const Call &call) {
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  const size_t bytes = size_t(x.elements()) * sizeOf(x.dtype);
  if (bytes == 0 || x.data == y.data) return nothingToDo();
  return ready(
      [from = x.data, to = y.data, bytes, stream = call.stream()] { return copyBytes(to, from, bytes, stream); });
}

template <typename Word> Prepared expandOf(const Call &call) { return mapCall(call, SameWord<Word>()); }

template <typename Word> Prepared sliceOf(const Call &call) {
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  const size_t axis = static_cast<size_t>(call.args.attributes.integer("axis"));
  const int64_t start = call.args.attributes.integer("start"), step = call.args.attributes.integer("step", 1);
  const int64_t inner = product(x.shape, axis + 1, x.shape.size()), size = x.shape[axis], length = y.shape[axis];
  if (y.elements() == 0) return nothingToDo();
  const Word *from = x.as<Word>() + start * inner;
  const int64_t outer = product(x.shape, 0, axis);
  if (step == 1) return moveRows<Word>(call, from, {{outer, size * inner}}, length * inner);
  return moveRows<Word>(call, from, {{outer, size * inner}, {length, step * inner}}, inner);
}

Prepared prepareExpand(const Call &call) {
  return withWord(call.args.results[0].dtype, [&](auto word) { return expandOf<decltype(word)>(call); });
}

Prepared prepareSlice(const Call &call) {
  return withWord(call.args.results[0].dtype, [&](auto word) { return sliceOf<decltype(word)>(call); });
}

/// Rows of `bytes`, `pitch` apart in the result; a thread moves one word of all of them.
template <typename Word>
__global__ void concatKernel(const Word *from, Word *to, int64_t words, int64_t pitch, int64_t count) {
  const int64_t at = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const int64_t row = quotient(at, words);
  to[row * pitch + at - row * words] = from[at];
}

struct Piece {
  const char *from;
  char *to;
  int64_t bytes;
};

template <typename Word> Status moveBy(const Piece &piece, int64_t outer, int64_t pitch, cudaStream_t stream) {
  constexpr int64_t word = sizeof(Word);
  const int64_t count = outer * piece.bytes / word;
  return launch(concatKernel<Word>, overItems(count), stream, reinterpret_cast<const Word *>(piece.from),
                reinterpret_cast<Word *>(piece.to), piece.bytes / word, pitch / word, count);
}

Status movePiece(const Piece &piece, int64_t outer, int64_t pitch, cudaStream_t stream) {
  if (outer == 1) return copyBytes(piece.to, piece.from, size_t(piece.bytes), stream);
  auto fits = [&](size_t word) {
    return isAligned(piece.from, word) && isAligned(piece.to, word) && size_t(piece.bytes) % word == 0 &&
           size_t(pitch) % word == 0;
  };
  if (fits(16)) return moveBy<uint4>(piece, outer, pitch, stream);
  if (fits(4)) return moveBy<uint32_t>(piece, outer, pitch, stream);
  if (fits(2)) return moveBy<uint16_t>(piece, outer, pitch, stream);
  return moveBy<uint8_t>(piece, outer, pitch, stream);
}

Prepared prepareConcat(const Call &call) {
  const TensorArg &y = call.args.results[0];
  const int64_t axis = call.args.attributes.integer("axis"), rank = static_cast<int64_t>(y.shape.size());
  const int64_t word = static_cast<int64_t>(sizeOf(y.dtype));
  const int64_t outer = product(y.shape, 0, size_t(axis)), pitch = product(y.shape, size_t(axis), size_t(rank)) * word;
  std::vector<Piece> pieces;
  int64_t at = 0;
  for (const TensorArg &x : call.args.operands) {
    const Piece piece{x.as<char>(), y.as<char>() + at, product(x.shape, size_t(axis), size_t(rank)) * word};
    at += piece.bytes;
    if (piece.bytes && outer && !(outer == 1 && piece.from == piece.to)) pieces.push_back(piece);
  }
  return ready([=, pieces = std::move(pieces), stream = call.stream()] {
    for (const Piece &piece : pieces)
      if (Status status = movePiece(piece, outer, pitch, stream); status != Status::Ok) return status;
    return Status::Ok;
  });
}

template <typename Word> __global__ void fillKernel(Word *to, Word value, int64_t count) {
  const int64_t at = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at < count) to[at] = value;
}

template <typename Word, typename T> Prepared fillWith(const Call &call, T value) {
  static_assert(sizeof(Word) == sizeof(T));
  return ready([word = bitsAs<Word>(value), to = call.args.results[0].as<Word>(), n = call.args.results[0].elements(),
                stream = call.stream()] { return launch(fillKernel<Word>, overItems(n), stream, to, word, n); });
}

Prepared prepareFull(const Call &call) {
  const double real = call.args.attributes.real("value");
  const int64_t integer = call.args.attributes.integer("value");
  switch (call.args.results[0].dtype) {
  case DType::F32:
    return fillWith<uint32_t>(call, static_cast<float>(real));
  case DType::F64:
    return fillWith<uint64_t>(call, real);
  case DType::I64:
    return fillWith<uint64_t>(call, integer);
  case DType::I32:
    return fillWith<uint32_t>(call, static_cast<int32_t>(integer));
  case DType::Bool:
    return fillWith<uint8_t>(call, uint8_t(real != 0));
  case DType::U8:
    return fillWith<uint8_t>(call, static_cast<uint8_t>(integer));
  case DType::F16:
    return fillWith<uint16_t>(call, Narrowed<Half>::from(real));
  case DType::BF16:
    return fillWith<uint16_t>(call, Narrowed<Bf16>::from(real));
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

} // namespace autotp::cuda
