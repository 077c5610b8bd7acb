/// \file One kernel for all that goes element by element: operands broadcast or lie in strided rows, the result is
/// dense.
#pragma once

#include "runtime/device/broadcast.h"
#include "runtime/device/cuda/kernel_table.h"
#include "runtime/device/cuda/storage.cuh"

#include <type_traits>

namespace autotp::cuda {

constexpr int kMostOuter = 8; ///< dimensions that are left once neighbours are merged

/// Rows of `inner` elements in the result's order, and where each operand's rows begin.
struct RowShape {
  int64_t inner = 1, count = 1; ///< count: elements of the result
  int outer = 0;
  int64_t size[kMostOuter];
  int64_t stride[kMostOuter][kMaxOperands];
  int innerStride[kMaxOperands]; ///< 0 or 1
};

/// a / b for numbers from 0: the division of 32 bits where it will do is several times faster on a GPU.
__device__ __forceinline__ int64_t quotient(int64_t a, int64_t b) {
  if (((a | b) >> 32) == 0) return uint32_t(a) / uint32_t(b);
  return a / b;
}

template <int Operands>
__device__ __forceinline__ void rowOffsets(const RowShape &shape, int64_t row, int64_t (&at)[kMaxOperands]) {
  for (int o = 0; o < Operands; ++o)
    at[o] = 0;
  for (int d = shape.outer - 1; d >= 0; --d) {
    const int64_t rest = quotient(row, shape.size[d]), index = row - rest * shape.size[d];
    for (int o = 0; o < Operands; ++o)
      at[o] += index * shape.stride[d][o];
    row = rest;
  }
}

template <typename T, int V> __device__ __forceinline__ Pack<T, V> loadPack(const T *from, int innerStride) {
  if (innerStride) return *reinterpret_cast<const Pack<T, V> *>(from);
  Pack<T, V> pack;
  for (int i = 0; i < V; ++i)
    pack.at[i] = *from;
  return pack;
}

/// An Op has the types A, B, C of its operands and R of its result, `arity`, and is called with as many elements.
template <typename Op, int V>
__global__ void mapKernel(const typename Op::A *a, const typename Op::B *b, const typename Op::C *c, typename Op::R *y,
                          RowShape shape, Op op) {
  const int64_t first = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  if (first >= shape.count) return;
  const int64_t row = shape.outer ? quotient(first, shape.inner) : 0, column = first - row * shape.inner;
  int64_t at[kMaxOperands];
  rowOffsets<Op::arity>(shape, row, at);
  for (int o = 0; o < Op::arity; ++o)
    at[o] += column * shape.innerStride[o];
  if (first + V > shape.count) { // the end of the only row
    for (int i = 0; first + i < shape.count; ++i) {
      const int64_t ia = at[0] + i * shape.innerStride[0];
      if constexpr (Op::arity == 1)
        y[first + i] = op(a[ia]);
      else if constexpr (Op::arity == 2)
        y[first + i] = op(a[ia], b[at[1] + i * shape.innerStride[1]]);
      else
        y[first + i] = op(a[ia], b[at[1] + i * shape.innerStride[1]], c[at[2] + i * shape.innerStride[2]]);
    }
    return;
  }
  Pack<typename Op::R, V> out;
  const auto pa = loadPack<typename Op::A, V>(a + at[0], shape.innerStride[0]);
  if constexpr (Op::arity == 1) {
    for (int i = 0; i < V; ++i)
      out.at[i] = op(pa.at[i]);
  } else {
    const auto pb = loadPack<typename Op::B, V>(b + at[1], shape.innerStride[1]);
    if constexpr (Op::arity == 2) {
      for (int i = 0; i < V; ++i)
        out.at[i] = op(pa.at[i], pb.at[i]);
    } else {
      const auto pc = loadPack<typename Op::C, V>(c + at[2], shape.innerStride[2]);
      for (int i = 0; i < V; ++i)
        out.at[i] = op(pa.at[i], pb.at[i], pc.at[i]);
    }
  }
  *reinterpret_cast<Pack<typename Op::R, V> *>(y + first) = out;
}

/// Errors: more dimensions than a kernel can take.
inline llvm::Expected<RowShape> rowShapeOf(const Call &call, const BroadcastRows &rows, int64_t elements) {
  RowShape shape{};
  if (rows.outer.size() > size_t(kMostOuter))
    return mistake(call, "broadcasts in more ways than this device can follow");
  shape.inner = rows.inner;
  shape.count = elements;
  for (const BroadcastRows::Outer &dimension : rows.outer) {
    shape.size[shape.outer] = dimension.size;
    for (int o = 0; o < kMaxOperands; ++o)
      shape.stride[shape.outer][o] = dimension.strides[o];
    ++shape.outer;
  }
  for (int o = 0; o < kMaxOperands; ++o)
    shape.innerStride[o] = int(rows.innerStrides[o]);
  return shape;
}

template <typename Op> struct MapOperands {
  const typename Op::A *a;
  const typename Op::B *b = nullptr;
  const typename Op::C *c = nullptr;
  typename Op::R *y;
};

/// As many elements as make 16 bytes of the widest operand or result.
template <typename Op> constexpr int packOf() {
  size_t widest = sizeof(typename Op::R);
  if (Op::arity > 0 && sizeof(typename Op::A) > widest) widest = sizeof(typename Op::A);
  if (Op::arity > 1 && sizeof(typename Op::B) > widest) widest = sizeof(typename Op::B);
  if (Op::arity > 2 && sizeof(typename Op::C) > widest) widest = sizeof(typename Op::C);
  return int(16 / widest);
}

/// Whether V elements of each operand and of the result may be accessed at once.
template <typename Op> bool packsFit(const MapOperands<Op> &p, const RowShape &shape, int v) {
  if (shape.outer && shape.inner % v) return false;
  const void *pointers[] = {p.a, p.b, p.c};
  const size_t sizes[] = {sizeof(typename Op::A), sizeof(typename Op::B), sizeof(typename Op::C)};
  for (int o = 0; o < Op::arity; ++o) {
    if (shape.innerStride[o] == 0) continue;
    if (!isAligned(pointers[o], sizes[o] * size_t(v))) return false;
    for (int d = 0; d < shape.outer; ++d)
      if (shape.stride[d][o] % v) return false;
  }
  return isAligned(p.y, sizeof(typename Op::R) * size_t(v));
}

template <typename Op> Prepared mapRows(const Call &call, MapOperands<Op> p, const RowShape &shape, Op op) {
  if (shape.count == 0) return nothingToDo();
  if (shape.count > kMostBlocks * 256) return mistake(call, "has more elements than a grid has threads");
  auto start = [&](auto kernel, int v) {
    return ready([=, at = overItems((shape.count + v - 1) / v), stream = call.stream()] {
      return launch(kernel, at, stream, p.a, p.b, p.c, p.y, shape, op);
    });
  };
  constexpr int v = packOf<Op>();
  if (packsFit(p, shape, v)) return start(mapKernel<Op, v>, v);
  return start(mapKernel<Op, 1>, 1);
}

/// Operands and result of the call, which broadcast.
template <typename Op> Prepared mapCall(const Call &call, Op op) {
  llvm::Expected<BroadcastRows> rows = broadcastRows(call);
  if (!rows) return rows.takeError();
  llvm::Expected<RowShape> shape = rowShapeOf(call, *rows, call.args.results[0].elements());
  if (!shape) return shape.takeError();
  const auto &in = call.args.operands;
  MapOperands<Op> p{in[0].as<typename Op::A>(), nullptr, nullptr, call.args.results[0].as<typename Op::R>()};
  if constexpr (Op::arity > 1) p.b = in[1].as<typename Op::B>();
  if constexpr (Op::arity > 2) p.c = in[2].as<typename Op::C>();
  return mapRows(call, p, *shape, op);
}

/// What an Op of one dtype derives from.
template <int Arity, typename T, typename Result = T> struct Elementwise {
  static constexpr int arity = Arity;
  using A = T;
  using B = T;
  using C = T;
  using R = Result;
};

/// An Op of what S is widened to, on elements that are stored as S.
template <typename Op, typename S>
struct Stored
    : Elementwise<Op::arity, S, std::conditional_t<std::is_same_v<typename Op::R, Widened<S>>, S, typename Op::R>> {
  using Result = typename Stored::R;
  __device__ Result operator()(S a) const { return Narrowed<Result>::from(Op()(widened(a))); }
  __device__ Result operator()(S a, S b) const { return Narrowed<Result>::from(Op()(widened(a), widened(b))); }
};

template <template <typename> class Op, typename S> Prepared mapStored(const Call &call) {
  return mapCall(call, Stored<Op<Widened<S>>, S>());
}

} // namespace autotp::cuda
