/// \file Gradients of activations, and the gated activation: operands and results of one shape.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/device/cuda/math.cuh"

namespace autotp::cuda {

namespace {

#define AUTOTP_PAIR(name, expression)                                                                                  \
  template <typename T> struct name : Elementwise<2, T> {                                                              \
    __device__ T operator()(T x, T second) const { return expression; }                                                \
  };
AUTOTP_PAIR(ReluGradOp, x > T(0) ? second : T(0))
AUTOTP_PAIR(SiluGradOp, second *siluSlope(x))
AUTOTP_PAIR(GeluGradOp, second *geluSlope(x))
AUTOTP_PAIR(GeluTanhGradOp, second *geluTanhSlope(x))
AUTOTP_PAIR(SwigluOp, x *sigmoidOf(x) * second)
#undef AUTOTP_PAIR

template <typename T, int V>
__global__ void swigluGradKernel(const T *gate, const T *up, const T *dy, T *dgate, T *dup, int64_t count) {
  const int64_t first = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  using W = Widened<T>;
  auto one = [](T gateAt, T upAt, T dyAt, T &dx, T &du) {
    const W x = widened(gateAt), u = widened(upAt), d = widened(dyAt), s = sigmoidOf(x);
    dx = Narrowed<T>::from(d * u * s * (W(1) + x * (W(1) - s)));
    du = Narrowed<T>::from(d * x * s);
  };
  if (first + V > count) {
    for (int64_t i = first; i < count; ++i) {
      T dx, du;
      one(gate[i], up[i], dy[i], dx, du);
      dgate[i] = dx;
      dup[i] = du;
    }
    return;
  }
  using P = Pack<T, V>;
  const P x = *reinterpret_cast<const P *>(gate + first), u = *reinterpret_cast<const P *>(up + first),
          d = *reinterpret_cast<const P *>(dy + first);
  P dx, du;
  for (int i = 0; i < V; ++i)
    one(x.at[i], u.at[i], d.at[i], dx.at[i], du.at[i]);
  *reinterpret_cast<P *>(dgate + first) = dx;
  *reinterpret_cast<P *>(dup + first) = du;
}

template <typename T> Prepared swigluGrad(const Call &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  constexpr int kPack = 16 / int(sizeof(T));
  bool fits = true;
  for (const auto *list : {&in, &out})
    for (const TensorArg &t : *list)
      fits = fits && isAligned(t.data, 16);
  const int64_t n = out[0].elements();
  auto start = [&](auto kernel, int v) {
    return ready([=, gate = in[0].as<T>(), up = in[1].as<T>(), dy = in[2].as<T>(), dgate = out[0].as<T>(),
                  dup = out[1].as<T>(), at = overItems((n + v - 1) / v),
                  stream = call.stream()] { return launch(kernel, at, stream, gate, up, dy, dgate, dup, n); });
  };
  return fits ? start(swigluGradKernel<T, kPack>, kPack) : start(swigluGradKernel<T, 1>, 1);
}

template <typename T> Prepared prepareFor(const Call &call) {
  switch (call.kernel) {
  case KernelId::ReluGrad:
    return mapStored<ReluGradOp, T>(call);
  case KernelId::SiluGrad:
    return mapStored<SiluGradOp, T>(call);
  case KernelId::GeluGrad:
    if (call.args.attributes.integer("tanh")) return mapStored<GeluTanhGradOp, T>(call);
    return mapStored<GeluGradOp, T>(call);
  case KernelId::Swiglu:
    return mapStored<SwigluOp, T>(call);
  default:
    return swigluGrad<T>(call);
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

} // namespace autotp::cuda
