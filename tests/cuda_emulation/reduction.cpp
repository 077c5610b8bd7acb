#include "tests/cuda_emulation/reduction.h"

#include "cuda_bf16.h"
#include "cuda_fp16.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace emulation {
namespace {

template <typename T> struct Computed { using Type = std::conditional_t<std::is_class_v<T>, float, T>; };
// Signed sums wrap around on a device.
template <> struct Computed<int8_t> { using Type = int; };
template <> struct Computed<int32_t> { using Type = int64_t; };
template <> struct Computed<int64_t> { using Type = __int128; };

template <typename T> T step(T left, T right, ncclRedOp_t operation) {
  using C = typename Computed<T>::Type;
  C a = static_cast<C>(left), b = static_cast<C>(right);
  switch (operation) {
  case ncclProd:
    return static_cast<T>(a * b);
  case ncclMax:
    return static_cast<T>(std::max(a, b));
  case ncclMin:
    return static_cast<T>(std::min(a, b));
  default:
    return static_cast<T>(a + b);
  }
}

template <typename T>
void combineAs(std::span<const std::byte *const> buffers, std::byte *out, size_t elements, ncclRedOp_t operation) {
  constexpr bool isReal = std::is_class_v<T> || std::is_floating_point_v<T>;
  using C = typename Computed<T>::Type;
  auto at = [&](size_t buffer, size_t i) {
    T value = reinterpret_cast<const T *>(buffers[buffer])[i];
    if constexpr (isReal) // the mean of reals is a sum of parts, so that it overflows no sooner than they do
      if (operation == ncclAvg) return static_cast<T>(static_cast<C>(value) * (C(1) / C(buffers.size())));
    return value;
  };
  for (size_t i = 0; i < elements; ++i) {
    T result = at(0, i);
    for (size_t buffer = 1; buffer < buffers.size(); ++buffer)
      result = step(result, at(buffer, i), operation);
    if constexpr (!isReal)
      if (operation == ncclAvg) result = static_cast<T>(static_cast<C>(result) / static_cast<C>(buffers.size()));
    reinterpret_cast<T *>(out)[i] = result;
  }
}

} // namespace

size_t bytesOf(ncclDataType_t type) {
  switch (type) {
  case ncclInt8:
  case ncclUint8:
    return 1;
  case ncclFloat16:
  case ncclBfloat16:
    return 2;
  case ncclInt32:
  case ncclUint32:
  case ncclFloat32:
    return 4;
  case ncclInt64:
  case ncclUint64:
  case ncclFloat64:
    return 8;
  }
  return 0;
}

void combine(std::span<const std::byte *const> buffers, std::byte *out, size_t elements, ncclDataType_t type,
             ncclRedOp_t operation) {
  switch (type) {
  case ncclInt8:
    return combineAs<int8_t>(buffers, out, elements, operation);
  case ncclUint8:
    return combineAs<uint8_t>(buffers, out, elements, operation);
  case ncclInt32:
    return combineAs<int32_t>(buffers, out, elements, operation);
  case ncclUint32:
    return combineAs<uint32_t>(buffers, out, elements, operation);
  case ncclInt64:
    return combineAs<int64_t>(buffers, out, elements, operation);
  case ncclUint64:
    return combineAs<uint64_t>(buffers, out, elements, operation);
  case ncclFloat16:
    return combineAs<__half>(buffers, out, elements, operation);
  case ncclFloat32:
    return combineAs<float>(buffers, out, elements, operation);
  case ncclFloat64:
    return combineAs<double>(buffers, out, elements, operation);
  case ncclBfloat16:
    return combineAs<__nv_bfloat16>(buffers, out, elements, operation);
  }
}

} // namespace emulation
