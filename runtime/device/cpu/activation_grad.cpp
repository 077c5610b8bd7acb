/// \file Gradients of activations, and the gated activation: operands and results of one shape.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/storage.h"
#include "runtime/device/cpu/vector_math.h"

namespace autotp::cpu {

namespace {

template <typename T, typename Op> Prepared mapped(const Call &call, Op op) {
  const T *a = call.args.operands[0].as<T>(), *b = call.args.operands[1].as<T>();
  T *y = call.args.results[0].as<T>();
  return ready([=, n = call.args.results[0].elements(), threads = call.threads] {
    parallelFor(threads, n, 4, [&](int64_t begin, int64_t end, int) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        y[i] = Narrowed<T>::from(op(widened(a[i]), widened(b[i])));
    });
    return Status::Ok;
  });
}

// Inlined always: a call in a simd loop would keep it from vectors.
template <typename T> [[gnu::always_inline]] inline T siluSlope(T x) {
  const T s = sigmoidOf(x);
  return s * (T(1) + x * (T(1) - s));
}

template <typename T> [[gnu::always_inline]] inline T geluSlope(T x) {
  const T density = T(0.3989422804014327) * expOf(T(-0.5) * x * x);
  return T(0.5) * (T(1) + erfOf(x * T(0.7071067811865476))) + x * density;
}

template <typename T> [[gnu::always_inline]] inline T geluTanhSlope(T x) {
  const T t = tanhOf(T(0.7978845608028654) * (x + T(0.044715) * x * x * x));
  const T inner = T(0.7978845608028654) * (T(1) + T(3 * 0.044715) * x * x);
  return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * inner;
}

template <typename T> Prepared swigluGrad(const Call &call) {
  using W = Widened<T>;
  const T *gate = call.args.operands[0].as<T>(), *up = call.args.operands[1].as<T>(),
          *dy = call.args.operands[2].as<T>();
  T *dgate = call.args.results[0].as<T>(), *dup = call.args.results[1].as<T>();
  return ready([=, n = call.args.results[0].elements(), threads = call.threads] {
    parallelFor(threads, n, 4, [&](int64_t begin, int64_t end, int) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        const W x = widened(gate[i]), u = widened(up[i]), d = widened(dy[i]), s = sigmoidOf(x);
        dgate[i] = Narrowed<T>::from(d * u * s * (W(1) + x * (W(1) - s)));
        dup[i] = Narrowed<T>::from(d * x * s);
      }
    });
    return Status::Ok;
  });
}

/// S is how elements are stored, T what they are computed in.
template <typename S> Prepared prepareFor(const Call &call) {
  using T = Widened<S>;
  switch (call.kernel) {
  case KernelId::ReluGrad:
    return mapped<S>(call, [](T x, T dy) { return x > T(0) ? dy : T(0); });
  case KernelId::SiluGrad:
    return mapped<S>(call, [](T x, T dy) { return dy * siluSlope(x); });
  case KernelId::GeluGrad:
    if (call.args.attributes.integer("tanh")) return mapped<S>(call, [](T x, T dy) { return dy * geluTanhSlope(x); });
    return mapped<S>(call, [](T x, T dy) { return dy * geluSlope(x); });
  case KernelId::Swiglu:
    return mapped<S>(call, [](T gate, T up) { return gate * sigmoidOf(gate) * up; });
  default:
    return swigluGrad<S>(call);
  }
}

Prepared prepare(const Call &call) {
  const TensorArg &first = call.args.operands[0];
  if (first.dtype == DType::F32) return prepareFor<float>(call);
  if (first.dtype == DType::F64) return prepareFor<double>(call);
  if (first.dtype == DType::BF16) return prepareFor<Bf16>(call);
  if (first.dtype == DType::F16) return prepareFor<Half>(call);
  return unsupported(call, first.dtype);
}

constexpr KernelRow kRows[] = {{KernelId::ReluGrad, prepare},
                               {KernelId::SiluGrad, prepare},
                               {KernelId::GeluGrad, prepare},
                               {KernelId::Swiglu, prepare},
                               {KernelId::SwigluGrad, prepare}};

} // namespace

std::span<const KernelRow> activationGradKernels() { return kRows; }

} // namespace autotp::cpu
