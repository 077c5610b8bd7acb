/// \file Conversions between every pair of element types.
#include "runtime/device/cuda/elementwise.cuh"

namespace autotp::cuda {

namespace {

template <typename T, typename Result> struct CastOp : Elementwise<1, T, Result> {
  __device__ Result operator()(T x) const { return Narrowed<Result>::from(widened(x)); }
};

template <typename T> Prepared castFrom(const Call &call) {
  switch (call.args.results[0].dtype) {
  case DType::F32:
    return mapCall(call, CastOp<T, float>());
  case DType::F64:
    return mapCall(call, CastOp<T, double>());
  case DType::BF16:
    return mapCall(call, CastOp<T, Bf16>());
  case DType::F16:
    return mapCall(call, CastOp<T, Half>());
  case DType::I64:
    return mapCall(call, CastOp<T, int64_t>());
  case DType::I32:
    return mapCall(call, CastOp<T, int32_t>());
  case DType::Bool:
    return mapCall(call, CastOp<T, Truth>());
  case DType::U8:
    return mapCall(call, CastOp<T, uint8_t>());
  }
  return unsupported(call, call.args.results[0].dtype);
}

Prepared prepareCast(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  switch (x.dtype) {
  case DType::F32:
    return castFrom<float>(call);
  case DType::F64:
    return castFrom<double>(call);
  case DType::BF16:
    return castFrom<Bf16>(call);
  case DType::F16:
    return castFrom<Half>(call);
  case DType::I64:
    return castFrom<int64_t>(call);
  case DType::I32:
    return castFrom<int32_t>(call);
  case DType::Bool:
    return castFrom<Truth>(call);
  case DType::U8:
    return castFrom<uint8_t>(call);
  }
  return unsupported(call, x.dtype);
}

constexpr KernelRow kRows[] = {{KernelId::Cast, prepareCast}};

} // namespace

std::span<const KernelRow> castKernels() { return kRows; }

} // namespace autotp::cuda
