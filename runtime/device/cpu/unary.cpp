/// \file Elementwise kernels of one operand.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/storage.h"
#include "runtime/device/cpu/vector_math.h"

namespace autotp::cpu {

namespace {

template <typename T, typename R, typename Op> Prepared mapped(const Call &call, Op op) {
  const T *x = call.args.operands[0].as<T>();
  R *y = call.args.results[0].as<R>();
  return ready([x, y, op, n = call.args.results[0].elements(), threads = call.threads] {
    parallelFor(threads, n, 1, [&](int64_t begin, int64_t end, int) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        y[i] = Narrowed<R>::from(op(widened(x[i])));
    });
    return Status::Ok;
  });
}

/// S is how elements are stored, T what they are computed in.
template <typename S> Prepared geluOf(const Call &call) {
  using T = Widened<S>;
  if (call.args.attributes.integer("tanh"))
    return mapped<S, S>(
        call, [](T x) { return T(0.5) * x * (T(1) + tanhOf(T(0.7978845608028654) * (x + T(0.044715) * x * x * x))); });
  return mapped<S, S>(call, [](T x) { return T(0.5) * x * (T(1) + erfOf(x * T(0.7071067811865476))); });
}

template <typename S> Prepared mapFloat(const Call &call) {
  using T = Widened<S>;
  switch (call.kernel) {
  case KernelId::Neg:
    return mapped<S, S>(call, [](T x) { return -x; });
  case KernelId::Exp:
    return mapped<S, S>(call, [](T x) { return expOf(x); });
  case KernelId::Log:
    return mapped<S, S>(call, [](T x) { return std::log(x); });
  case KernelId::Sqrt:
    return mapped<S, S>(call, [](T x) { return std::sqrt(x); });
  case KernelId::Rsqrt:
    return mapped<S, S>(call, [](T x) { return T(1) / std::sqrt(x); });
  case KernelId::Reciprocal:
    return mapped<S, S>(call, [](T x) { return T(1) / x; });
  case KernelId::Tanh:
    return mapped<S, S>(call, [](T x) { return tanhOf(x); });
  case KernelId::Sigmoid:
    return mapped<S, S>(call, [](T x) { return sigmoidOf(x); });
  case KernelId::Erf:
    return mapped<S, S>(call, [](T x) { return erfOf(x); });
  case KernelId::Relu:
    return mapped<S, S>(call, [](T x) { return x < T(0) ? T(0) : x; });
  case KernelId::Abs:
    return mapped<S, S>(call, [](T x) { return std::fabs(x); });
  case KernelId::Sin:
    return mapped<S, S>(call, [](T x) { return std::sin(x); });
  case KernelId::Cos:
    return mapped<S, S>(call, [](T x) { return std::cos(x); });
  case KernelId::Floor:
    return mapped<S, S>(call, [](T x) { return std::floor(x); });
  case KernelId::Sign:
    return mapped<S, S>(call, [](T x) { return T(x > T(0)) - T(x < T(0)); });
  case KernelId::Silu:
    return mapped<S, S>(call, [](T x) { return x * sigmoidOf(x); });
  case KernelId::Gelu:
    return geluOf<S>(call);
  case KernelId::IsNan:
    return mapped<S, uint8_t>(call, [](T x) -> uint8_t { return x != x; });
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

template <typename T> Prepared mapInteger(const Call &call) {
  switch (call.kernel) {
  case KernelId::Neg:
    return mapped<T, T>(call, [](T x) { return T(-x); });
  case KernelId::Relu:
    return mapped<T, T>(call, [](T x) { return x < 0 ? T(0) : x; });
  case KernelId::Abs:
    return mapped<T, T>(call, [](T x) { return x < 0 ? T(-x) : x; });
  case KernelId::Floor:
    return mapped<T, T>(call, [](T x) { return x; });
  case KernelId::Sign:
    return mapped<T, T>(call, [](T x) { return T((x > 0) - (x < 0)); });
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

Prepared prepareUnary(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  if (call.kernel == KernelId::Not) {
    if (x.dtype != DType::Bool) return unsupported(call, x.dtype);
    return mapped<uint8_t, uint8_t>(call, [](uint8_t v) -> uint8_t { return !v; });
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

} // namespace autotp::cpu
