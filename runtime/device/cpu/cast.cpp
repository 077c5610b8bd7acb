/// \file Conversions between every pair of element types.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/storage.h"

namespace autotp::cpu {

namespace {

template <typename T, typename R> Prepared castOf(const Call &call) {
  const T *x = call.args.operands[0].as<T>();
  R *y = call.args.results[0].as<R>();
  return ready([x, y, n = call.args.results[0].elements(), threads = call.threads] {
    parallelFor(threads, n, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        y[i] = Narrowed<R>::from(widened(x[i]));
    });
    return Status::Ok;
  });
}

template <typename T> Prepared castFrom(const Call &call) {
  switch (call.args.results[0].dtype) {
  case DType::F32:
    return castOf<T, float>(call);
  case DType::F64:
    return castOf<T, double>(call);
  case DType::BF16:
    return castOf<T, Bf16>(call);
  case DType::F16:
    return castOf<T, Half>(call);
  case DType::I64:
    return castOf<T, int64_t>(call);
  case DType::I32:
    return castOf<T, int32_t>(call);
  case DType::Bool:
    return castOf<T, Truth>(call);
  case DType::U8:
    return castOf<T, uint8_t>(call);
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

} // namespace autotp::cpu
