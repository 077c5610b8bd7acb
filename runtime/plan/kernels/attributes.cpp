#include "runtime/plan/kernels/kernel_call.h"

namespace autotp {

namespace {
template <typename Values> const KernelAttributes::Value *find(const Values &values, llvm::StringRef name) {
  for (const auto &[key, value] : values)
    if (key == name) return &value;
  return nullptr;
}
} // namespace

int64_t KernelAttributes::integer(llvm::StringRef name, int64_t otherwise) const {
  const Value *value = find(values_, name);
  if (!value) return otherwise;
  if (const int64_t *integer = std::get_if<int64_t>(value)) return *integer;
  if (const double *real = std::get_if<double>(value)) return static_cast<int64_t>(*real);
  return otherwise;
}

double KernelAttributes::real(llvm::StringRef name, double otherwise) const {
  const Value *value = find(values_, name);
  if (!value) return otherwise;
  if (const double *real = std::get_if<double>(value)) return *real;
  if (const int64_t *integer = std::get_if<int64_t>(value)) return static_cast<double>(*integer);
  return otherwise;
}

std::vector<int64_t> KernelAttributes::integers(llvm::StringRef name) const {
  const Value *value = find(values_, name);
  if (!value) return {};
  if (const auto *list = std::get_if<std::vector<int64_t>>(value)) return *list;
  return {};
}

} // namespace autotp
