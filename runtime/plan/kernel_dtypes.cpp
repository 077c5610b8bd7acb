#include "runtime/plan/kernel_id.h"

namespace autotp {
namespace {

constexpr DType kAll[] = {DType::F32, DType::F64, DType::BF16, DType::F16,
                          DType::I64, DType::I32, DType::Bool, DType::U8};
constexpr DType kComparable[] = {DType::F32, DType::F64, DType::BF16, DType::F16, DType::I64, DType::I32, DType::Bool};
constexpr DType kNumbers[] = {DType::F32, DType::F64, DType::BF16, DType::F16, DType::I64, DType::I32};
constexpr DType kFloats[] = {DType::F32, DType::F64, DType::BF16, DType::F16};
constexpr DType kSummed[] = {DType::F32, DType::F64, DType::I64, DType::I32}; ///< small floats would lose digits
constexpr DType kWide[] = {DType::F32, DType::F64};
constexpr DType kProducts[] = {DType::F32, DType::BF16, DType::F16};
constexpr DType kSingle[] = {DType::F32};
constexpr DType kIndices[] = {DType::I64, DType::I32};
constexpr DType kFlags[] = {DType::Bool};

} // namespace

llvm::ArrayRef<DType> dtypesOf(KernelId kernel) {
  auto isAmong = [&](KernelId first, KernelId last) { return kernel >= first && kernel <= last; };
  switch (kernel) {
  case KernelId::Neg:
  case KernelId::Relu:
  case KernelId::Abs:
  case KernelId::Floor:
  case KernelId::Sign:
    return kNumbers;
  case KernelId::Not:
  case KernelId::And:
  case KernelId::Or:
    return kFlags;
  case KernelId::Equal:
    return kComparable;
  case KernelId::WrapIndex:
    return kIndices;
  case KernelId::Dropout:
    return kFloats;
  case KernelId::ScatterAdd:
  case KernelId::ScatterElements:
    return kWide;
  case KernelId::Rotary:
    return kProducts;
  case KernelId::Cast:
  case KernelId::GatherElements:
  case KernelId::Where:
    return kAll;
  default:
    break;
  }
  if (isAmong(KernelId::MatMul, KernelId::MatMulGeluGrad)) return kProducts;
  if (isAmong(KernelId::Neg, KernelId::IsNan)) return kFloats;
  if (isAmong(KernelId::Add, KernelId::GreaterEqual)) return kNumbers;
  if (isAmong(KernelId::ReluGrad, KernelId::SwigluGrad)) return kFloats;
  if (isAmong(KernelId::ReduceSum, KernelId::CumSum) || kernel == KernelId::TopK) return kSummed;
  if (isAmong(KernelId::Copy, KernelId::Gather)) return kAll;
  return kSingle;
}

} // namespace autotp
