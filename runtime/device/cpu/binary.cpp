/// \file Elementwise kernels of two or three operands that broadcast.
#include "runtime/device/cpu/broadcast.h"
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/storage.h"
#include "runtime/device/cpu/vector_math.h"

namespace autotp::cpu {

namespace {

/// One loop for each pair of inner strides, so that each is a plain vector loop.
template <typename T, typename R, typename Op>
void mapRow(const T *a, const T *b, R *y, int64_t n, bool aMoves, bool bMoves, Op op) {
  if (aMoves && bMoves) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i)
      y[i] = Narrowed<R>::from(op(widened(a[i]), widened(b[i])));
  } else if (aMoves) {
    const Widened<T> fixed = n ? widened(*b) : Widened<T>();
#pragma omp simd
    for (int64_t i = 0; i < n; ++i)
      y[i] = Narrowed<R>::from(op(widened(a[i]), fixed));
  } else if (bMoves) {
    const Widened<T> fixed = n ? widened(*a) : Widened<T>();
#pragma omp simd
    for (int64_t i = 0; i < n; ++i)
      y[i] = Narrowed<R>::from(op(fixed, widened(b[i])));
  } else if (n) {
    const R value = Narrowed<R>::from(op(widened(*a), widened(*b)));
    for (int64_t i = 0; i < n; ++i)
      y[i] = value;
  }
}

template <typename T, typename R, typename Op> Prepared mapped(const Call &call, Op op) {
  auto rows = broadcastRows(call);
  if (!rows) return rows.takeError();
  const T *a = call.args.operands[0].as<T>(), *b = call.args.operands[1].as<T>();
  R *y = call.args.results[0].as<R>();
  return ready([a, b, y, op, rows = std::move(*rows), threads = call.threads] {
    forEachRow(rows, threads, [&](const auto &at, int64_t to, int64_t n) {
      mapRow(a + at[0], b + at[1], y + to, n, rows.innerStrides[0] != 0, rows.innerStrides[1] != 0, op);
    });
    return Status::Ok;
  });
}

/// S is how elements are stored, T what they are computed in.
template <typename S> Prepared arithmetic(const Call &call) {
  using T = Widened<S>;
  switch (call.kernel) {
  case KernelId::Add:
    return mapped<S, S>(call, [](T a, T b) { return T(a + b); });
  case KernelId::Sub:
    return mapped<S, S>(call, [](T a, T b) { return T(a - b); });
  case KernelId::Mul:
    return mapped<S, S>(call, [](T a, T b) { return T(a * b); });
  case KernelId::Div:
    // An integer division by zero would end the process; it gives 0.
    if constexpr (std::is_integral_v<T>)
      return mapped<S, S>(call, [](T a, T b) { return b == 0 ? T(0) : b == -1 ? T(0 - a) : T(a / b); });
    return mapped<S, S>(call, [](T a, T b) { return T(a / b); });
  case KernelId::Pow:
    return mapped<S, S>(call, [](T a, T b) { return b == T(2) ? T(a * a) : static_cast<T>(std::pow(a, b)); });
  case KernelId::Max:
    return mapped<S, S>(call, [](T a, T b) { return a > b || a != a ? a : b; });
  case KernelId::Min:
    return mapped<S, S>(call, [](T a, T b) { return a < b || a != a ? a : b; });
  case KernelId::Equal:
    return mapped<S, uint8_t>(call, [](T a, T b) -> uint8_t { return a == b; });
  case KernelId::Less:
    return mapped<S, uint8_t>(call, [](T a, T b) -> uint8_t { return a < b; });
  case KernelId::LessEqual:
    return mapped<S, uint8_t>(call, [](T a, T b) -> uint8_t { return a <= b; });
  case KernelId::Greater:
    return mapped<S, uint8_t>(call, [](T a, T b) -> uint8_t { return a > b; });
  case KernelId::GreaterEqual:
    return mapped<S, uint8_t>(call, [](T a, T b) -> uint8_t { return a >= b; });
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

Prepared logical(const Call &call) {
  switch (call.kernel) {
  case KernelId::And:
    return mapped<uint8_t, uint8_t>(call, [](uint8_t a, uint8_t b) -> uint8_t { return a && b; });
  case KernelId::Or:
    return mapped<uint8_t, uint8_t>(call, [](uint8_t a, uint8_t b) -> uint8_t { return a || b; });
  case KernelId::Equal:
    return mapped<uint8_t, uint8_t>(call, [](uint8_t a, uint8_t b) -> uint8_t { return !a == !b; });
  default:
    return unsupported(call, DType::Bool);
  }
}

Prepared prepareBinary(const Call &call) {
  const TensorArg &a = call.args.operands[0];
  switch (a.dtype) {
  case DType::F32:
    return arithmetic<float>(call);
  case DType::F64:
    return arithmetic<double>(call);
  case DType::BF16:
    return arithmetic<Bf16>(call);
  case DType::F16:
    return arithmetic<Half>(call);
  case DType::I64:
    return arithmetic<int64_t>(call);
  case DType::I32:
    return arithmetic<int32_t>(call);
  case DType::Bool:
    return logical(call);
  default:
    return unsupported(call, a.dtype);
  }
}

template <typename Word> Prepared whereOf(const Call &call) {
  auto rows = broadcastRows(call);
  if (!rows) return rows.takeError();
  const uint8_t *condition = call.args.operands[0].as<uint8_t>();
  const Word *a = call.args.operands[1].as<Word>(), *b = call.args.operands[2].as<Word>();
  Word *y = call.args.results[0].as<Word>();
  return ready([=, rows = std::move(*rows), threads = call.threads] {
    const int64_t sc = rows.innerStrides[0], sa = rows.innerStrides[1], sb = rows.innerStrides[2];
    forEachRow(rows, threads, [&](const auto &at, int64_t to, int64_t n) {
      const uint8_t *c = condition + at[0];
      const Word *then = a + at[1], *otherwise = b + at[2];
      for (int64_t i = 0; i < n; ++i)
        y[to + i] = c[i * sc] ? then[i * sa] : otherwise[i * sb];
    });
    return Status::Ok;
  });
}

Prepared prepareWhere(const Call &call) {
  return withWord(call.args.results[0].dtype, [&](auto word) { return whereOf<decltype(word)>(call); });
}

constexpr KernelRow kRows[] = {
    {KernelId::Add, prepareBinary},       {KernelId::Sub, prepareBinary},     {KernelId::Mul, prepareBinary},
    {KernelId::Div, prepareBinary},       {KernelId::Pow, prepareBinary},     {KernelId::Max, prepareBinary},
    {KernelId::Min, prepareBinary},       {KernelId::Equal, prepareBinary},   {KernelId::Less, prepareBinary},
    {KernelId::LessEqual, prepareBinary}, {KernelId::Greater, prepareBinary}, {KernelId::GreaterEqual, prepareBinary},
    {KernelId::And, prepareBinary},       {KernelId::Or, prepareBinary},      {KernelId::Where, prepareWhere},
};

} // namespace

std::span<const KernelRow> binaryKernels() { return kRows; }

} // namespace autotp::cpu
