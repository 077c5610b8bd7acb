/// \file Elementwise kernels of one operand.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/device/cuda/math.cuh"

namespace autotp::cuda {

namespace {

#define AUTOTP_UNARY(name, expression)                                                                                 \
  template <typename T> struct name : Elementwise<1, T> {                                                              \
    __device__ T operator()(T x) const { return expression; }                                                          \
  };
AUTOTP_UNARY(NegOp, T(-x))
AUTOTP_UNARY(ExpOp, expOf(x))
AUTOTP_UNARY(LogOp, logOf(x))
AUTOTP_UNARY(SqrtOp, rootOf(x))
AUTOTP_UNARY(RsqrtOp, T(1) / rootOf(x))
AUTOTP_UNARY(ReciprocalOp, T(1) / x)
AUTOTP_UNARY(TanhOp, tanhOf(x))
AUTOTP_UNARY(SigmoidOp, sigmoidOf(x))
AUTOTP_UNARY(ErfOp, erfOf(x))
AUTOTP_UNARY(ReluOp, x < T(0) ? T(0) : x)
AUTOTP_UNARY(AbsOp, x < T(0) ? T(-x) : x == T(0) ? T(0) : x) // also of -0
AUTOTP_UNARY(SinOp, sin(x))
AUTOTP_UNARY(CosOp, cos(x))
AUTOTP_UNARY(FloorOp, floor(x))
AUTOTP_UNARY(SameOp, x)
AUTOTP_UNARY(SignOp, T(x > T(0)) - T(x < T(0)))
AUTOTP_UNARY(SiluOp, x *sigmoidOf(x))
AUTOTP_UNARY(GeluOp, geluOf(x))
AUTOTP_UNARY(GeluTanhOp, geluTanhOf(x))
#undef AUTOTP_UNARY

template <typename T> struct IsNanOp : Elementwise<1, T, uint8_t> {
  __device__ uint8_t operator()(T x) const { return x != x; }
};
struct NotOp : Elementwise<1, uint8_t> {
  __device__ uint8_t operator()(uint8_t x) const { return !x; }
};

template <typename T> Prepared mapFloat(const Call &call) {
  switch (call.kernel) {
  case KernelId::Neg:
    return mapStored<NegOp, T>(call);
  case KernelId::Exp:
    return mapStored<ExpOp, T>(call);
  case KernelId::Log:
    return mapStored<LogOp, T>(call);
  case KernelId::Sqrt:
    return mapStored<SqrtOp, T>(call);
  case KernelId::Rsqrt:
    return mapStored<RsqrtOp, T>(call);
  case KernelId::Reciprocal:
    return mapStored<ReciprocalOp, T>(call);
  case KernelId::Tanh:
    return mapStored<TanhOp, T>(call);
  case KernelId::Sigmoid:
    return mapStored<SigmoidOp, T>(call);
  case KernelId::Erf:
    return mapStored<ErfOp, T>(call);
  case KernelId::Relu:
    return mapStored<ReluOp, T>(call);
  case KernelId::Abs:
    return mapStored<AbsOp, T>(call);
  case KernelId::Sin:
    return mapStored<SinOp, T>(call);
  case KernelId::Cos:
    return mapStored<CosOp, T>(call);
  case KernelId::Floor:
    return mapStored<FloorOp, T>(call);
  case KernelId::Sign:
    return mapStored<SignOp, T>(call);
  case KernelId::Silu:
    return mapStored<SiluOp, T>(call);
  case KernelId::Gelu:
    if (call.args.attributes.integer("tanh")) return mapStored<GeluTanhOp, T>(call);
    return mapStored<GeluOp, T>(call);
  case KernelId::IsNan:
    return mapStored<IsNanOp, T>(call);
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

template <typename T> Prepared mapInteger(const Call &call) {
  switch (call.kernel) {
  case KernelId::Neg:
    return mapCall(call, NegOp<T>());
  case KernelId::Relu:
    return mapCall(call, ReluOp<T>());
  case KernelId::Abs:
    return mapCall(call, AbsOp<T>());
  case KernelId::Floor:
    return mapCall(call, SameOp<T>());
  case KernelId::Sign:
    return mapCall(call, SignOp<T>());
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

Prepared prepareUnary(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  if (call.kernel == KernelId::Not) {
    if (x.dtype != DType::Bool) return unsupported(call, x.dtype);
    return mapCall(call, NotOp());
  }
  switch (x.dtype) {
  case DType::F32:
    return mapFloat<float>(call);
  case DType::F64:
    return mapFloat<double>(call);
  case DType::BF16:
    return mapFloat<Bf16>(call);
  case DType::F16:
    return mapFloat<Half>(call);
  case DType::I64:
    return mapInteger<int64_t>(call);
  case DType::I32:
    return mapInteger<int32_t>(call);
  default:
    return unsupported(call, x.dtype);
  }
}

constexpr KernelRow kRows[] = {
    {KernelId::Neg, prepareUnary},  {KernelId::Exp, prepareUnary},     {KernelId::Log, prepareUnary},
    {KernelId::Sqrt, prepareUnary}, {KernelId::Rsqrt, prepareUnary},   {KernelId::Reciprocal, prepareUnary},
    {KernelId::Tanh, prepareUnary}, {KernelId::Sigmoid, prepareUnary}, {KernelId::Erf, prepareUnary},
    {KernelId::Relu, prepareUnary}, {KernelId::Abs, prepareUnary},     {KernelId::Sin, prepareUnary},
    {KernelId::Cos, prepareUnary},  {KernelId::Floor, prepareUnary},   {KernelId::Silu, prepareUnary},
    {KernelId::Gelu, prepareUnary}, {KernelId::IsNan, prepareUnary},   {KernelId::Not, prepareUnary},
    {KernelId::Sign, prepareUnary},
};

} // namespace

std::span<const KernelRow> unaryKernels() { return kRows; }

} // namespace autotp::cuda
