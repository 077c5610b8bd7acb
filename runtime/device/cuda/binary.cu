/// \file Elementwise kernels of two or three operands that broadcast.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/device/cuda/math.cuh"

#include <type_traits>

namespace autotp::cuda {

namespace {

#define AUTOTP_BINARY(name, result, expression)                                                                        \
  template <typename T> struct name : Elementwise<2, T, result> {                                                      \
    __device__ result operator()(T a, T b) const { return result(expression); }                                        \
  };
AUTOTP_BINARY(AddOp, T, a + b)
AUTOTP_BINARY(SubOp, T, a - b)
AUTOTP_BINARY(MulOp, T, a *b)
AUTOTP_BINARY(MaxOp, T, a > b || a != a ? a : b)
AUTOTP_BINARY(MinOp, T, a < b || a != a ? a : b)
AUTOTP_BINARY(EqualOp, uint8_t, a == b)
AUTOTP_BINARY(LessOp, uint8_t, a < b)
AUTOTP_BINARY(LessEqualOp, uint8_t, a <= b)
AUTOTP_BINARY(GreaterOp, uint8_t, a > b)
AUTOTP_BINARY(GreaterEqualOp, uint8_t, a >= b)
AUTOTP_BINARY(AndOp, uint8_t, a &&b)
AUTOTP_BINARY(OrOp, uint8_t, a || b)
AUTOTP_BINARY(SameTruthOp, uint8_t, !a == !b)
#undef AUTOTP_BINARY

template <typename T> struct DivOp : Elementwise<2, T> {
  __device__ T operator()(T a, T b) const {
    // As on the host, where an integer division by zero would end the process: it gives 0.
    if constexpr (std::is_integral_v<T>)
      return b == 0 ? T(0) : b == -1 ? T(0 - a) : T(a / b);
    else
      return a / b;
  }
};

template <typename T> struct PowOp : Elementwise<2, T> {
  __device__ T operator()(T a, T b) const {
    if (b == T(2)) return T(a * a);
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(pow(double(a), double(b)));
    else
      return powOf(a, b);
  }
};

template <typename T> Prepared arithmetic(const Call &call) {
  switch (call.kernel) {
  case KernelId::Add:
    return mapStored<AddOp, T>(call);
  case KernelId::Sub:
    return mapStored<SubOp, T>(call);
  case KernelId::Mul:
    return mapStored<MulOp, T>(call);
  case KernelId::Div:
    return mapStored<DivOp, T>(call);
  case KernelId::Pow:
    return mapStored<PowOp, T>(call);
  case KernelId::Max:
    return mapStored<MaxOp, T>(call);
  case KernelId::Min:
    return mapStored<MinOp, T>(call);
  case KernelId::Equal:
    return mapStored<EqualOp, T>(call);
  case KernelId::Less:
    return mapStored<LessOp, T>(call);
  case KernelId::LessEqual:
    return mapStored<LessEqualOp, T>(call);
  case KernelId::Greater:
    return mapStored<GreaterOp, T>(call);
  case KernelId::GreaterEqual:
    return mapStored<GreaterEqualOp, T>(call);
  default:
    return unsupported(call, call.args.operands[0].dtype);
  }
}

Prepared logical(const Call &call) {
  switch (call.kernel) {
  case KernelId::And:
    return mapCall(call, AndOp<uint8_t>());
  case KernelId::Or:
    return mapCall(call, OrOp<uint8_t>());
  case KernelId::Equal:
    return mapCall(call, SameTruthOp<uint8_t>());
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

template <typename Word> struct WhereOp {
  static constexpr int arity = 3;
  using A = uint8_t;
  using B = Word;
  using C = Word;
  using R = Word;
  __device__ Word operator()(uint8_t condition, Word then, Word otherwise) const {
    return condition ? then : otherwise;
  }
};

Prepared prepareWhere(const Call &call) {
  return withWord(call.args.results[0].dtype, [&](auto word) { return mapCall(call, WhereOp<decltype(word)>()); });
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

} // namespace autotp::cuda
