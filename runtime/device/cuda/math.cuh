/// \file Functions of activations, for f32 and f64 alike.
#pragma once

#include "runtime/device/cuda/launch.h"

#include <cmath>
#include <cstdint>

namespace autotp::cuda {

__device__ inline float expOf(float x) { return expf(x); }
__device__ inline double expOf(double x) { return exp(x); }
__device__ inline float tanhOf(float x) { return tanhf(x); }
__device__ inline double tanhOf(double x) { return tanh(x); }
__device__ inline float erfOf(float x) { return erff(x); }
__device__ inline double erfOf(double x) { return erf(x); }
__device__ inline float rootOf(float x) { return sqrtf(x); }
__device__ inline double rootOf(double x) { return sqrt(x); }
__device__ inline float logOf(float x) { return logf(x); }
__device__ inline double logOf(double x) { return log(x); }
__device__ inline float powOf(float x, float y) { return powf(x, y); }
__device__ inline double powOf(double x, double y) { return pow(x, y); }

template <typename T> __device__ T sigmoidOf(T x) { return T(1) / (T(1) + expOf(-x)); }

template <typename T> __device__ T siluSlope(T x) {
  const T s = sigmoidOf(x);
  return s * (T(1) + x * (T(1) - s));
}

template <typename T> __device__ T geluOf(T x) { return T(0.5) * x * (T(1) + erfOf(x * T(0.7071067811865476))); }

template <typename T> __device__ T geluSlope(T x) {
  const T density = T(0.3989422804014327) * expOf(T(-0.5) * x * x);
  return T(0.5) * (T(1) + erfOf(x * T(0.7071067811865476))) + x * density;
}

template <typename T> __device__ T geluTanhOf(T x) {
  return T(0.5) * x * (T(1) + tanhOf(T(0.7978845608028654) * (x + T(0.044715) * x * x * x)));
}

template <typename T> __device__ T geluTanhSlope(T x) {
  const T t = tanhOf(T(0.7978845608028654) * (x + T(0.044715) * x * x * x));
  const T inner = T(0.7978845608028654) * (T(1) + T(3 * 0.044715) * x * x);
  return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * inner;
}

} // namespace autotp::cuda
