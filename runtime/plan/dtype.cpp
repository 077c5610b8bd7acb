#include "runtime/plan/dtype.h"

namespace autotp {

namespace {
constexpr struct {
  DType dtype;
  const char *name;
} kNames[] = {{DType::F32, "f32"}, {DType::F64, "f64"}, {DType::BF16, "bf16"}, {DType::F16, "f16"},
              {DType::I64, "i64"}, {DType::I32, "i32"}, {DType::Bool, "bool"}, {DType::U8, "u8"}};
} // namespace

llvm::StringRef nameOf(DType dtype) {
  for (const auto &row : kNames)
    if (row.dtype == dtype) return row.name;
  return "?";
}

std::optional<DType> dtypeNamed(llvm::StringRef name) {
  for (const auto &row : kNames)
    if (name == row.name) return row.dtype;
  return std::nullopt;
}

} // namespace autotp
