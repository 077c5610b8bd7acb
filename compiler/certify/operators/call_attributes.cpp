#include "compiler/certify/operators/call_attributes.h"

#include "compiler/certify/refusal.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

bool isEqual(const Attributes::Value &wanted, const plan::Attribute &given) {
  if (const auto *integer = std::get_if<int64_t>(&wanted))
    return given.value_case() == plan::Attribute::kInteger && given.integer() == *integer;
  if (const auto *real = std::get_if<double>(&wanted))
    return given.value_case() == plan::Attribute::kReal && given.real() == *real;
  if (const auto *list = std::get_if<llvm::SmallVector<int64_t, 6>>(&wanted))
    return given.has_integers() && llvm::equal(given.integers().values(), *list);
  return true; // texts are not for kernels
}

} // namespace

const plan::Attribute *attributeOf(const plan::KernelCall &call, llvm::StringRef name) {
  for (const plan::Attribute &attribute : call.attributes())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

int64_t integerOf(const plan::KernelCall &call, llvm::StringRef name, int64_t otherwise) {
  const plan::Attribute *attribute = attributeOf(call, name);
  return attribute && attribute->value_case() == plan::Attribute::kInteger ? attribute->integer() : otherwise;
}

bool isReal(const plan::KernelCall &call, llvm::StringRef name, double wanted) {
  const plan::Attribute *attribute = attributeOf(call, name);
  return attribute && attribute->value_case() == plan::Attribute::kReal && attribute->real() == wanted;
}

llvm::Error checkAttributes(const plan::KernelCall &call, const Attributes &attributes,
                            llvm::function_ref<bool(llvm::StringRef)> isLeftOut) {
  int known = 0;
  for (const auto &[name, value] : attributes.all()) {
    if (isLeftOut(name) || std::holds_alternative<std::string>(value)) continue;
    const plan::Attribute *given = attributeOf(call, name);
    ++known;
    if (!given || !isEqual(value, *given))
      return refuse("its attribute '" + escaped(name) + "' is not the one that was asked for");
  }
  for (const plan::Attribute &given : call.attributes())
    known -= !isLeftOut(given.name());
  return known == 0 ? llvm::Error::success() : refuse("it has attributes that the operator has not");
}

llvm::Error checkAttributes(const plan::KernelCall &call, const Attributes &attributes) {
  return checkAttributes(call, attributes, [](llvm::StringRef) { return false; });
}

} // namespace autotp
