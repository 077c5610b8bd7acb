#include "models/decoder/config_keys.h"

#include "runtime/base/error.h"

#include <cmath>

namespace autotp {

namespace json = llvm::json;

static bool isPositive(llvm::Optional<double> number) { return number && std::isfinite(*number) && *number > 0; }

std::optional<ConfigKeys> ConfigKeys::within(llvm::StringRef key) {
  const json::Value *value = find(key);
  if (!value) return std::nullopt;
  if (const json::Object *object = value->getAsObject())
    return ConfigKeys(*object, where_, prefix_ + key.str() + ".", errors_);
  fail(key, "is no object");
  return std::nullopt;
}

const json::Value *ConfigKeys::find(llvm::StringRef key) const {
  const json::Value *value = object_.get(key);
  return value && value->kind() != json::Value::Null ? value : nullptr;
}

bool ConfigKeys::isNull(llvm::StringRef key) const {
  const json::Value *value = object_.get(key);
  return value && value->kind() == json::Value::Null;
}

int64_t ConfigKeys::size(llvm::StringRef key, int64_t most, std::optional<int64_t> absent, int64_t least) {
  const json::Value *value = find(key);
  if (!value && absent) return *absent;
  if (!value) return fail(key, "is missing"), 1;
  llvm::Optional<int64_t> number = value->getAsInteger();
  if (number && *number >= least && *number <= most) return *number;
  return fail(key, llvm::formatv("is no whole number from {0} to {1}", least, most).str()), 1;
}

double ConfigKeys::positive(llvm::StringRef key, std::optional<double> absent) {
  const json::Value *value = find(key);
  if (!value && absent) return *absent;
  if (!value) return fail(key, "is missing"), 1;
  if (llvm::Optional<double> number = value->getAsNumber(); isPositive(number)) return *number;
  return fail(key, "is no positive number"), 1;
}

std::vector<double> ConfigKeys::positives(llvm::StringRef key, size_t count) {
  std::vector<double> numbers;
  const json::Value *value = find(key);
  const json::Array *array = value ? value->getAsArray() : nullptr;
  if (array)
    for (const json::Value &element : *array)
      if (llvm::Optional<double> number = element.getAsNumber(); isPositive(number)) numbers.push_back(*number);
  if (!value)
    fail(key, "is missing");
  else if (!array || array->size() != count || numbers.size() != count)
    fail(key, llvm::formatv("is no list of {0} positive numbers", count).str());
  numbers.resize(count, 1);
  return numbers;
}

bool ConfigKeys::boolean(llvm::StringRef key, bool absent) {
  const json::Value *value = find(key);
  if (!value) return absent;
  if (llvm::Optional<bool> found = value->getAsBoolean()) return *found;
  return fail(key, "is neither true nor false"), absent;
}

std::string ConfigKeys::text(llvm::StringRef key, llvm::StringRef absent) {
  const json::Value *value = find(key);
  if (!value) return absent.str();
  if (llvm::Optional<llvm::StringRef> found = value->getAsString()) return found->str();
  return fail(key, "is no string"), absent.str();
}

std::optional<std::vector<std::string>> ConfigKeys::texts(llvm::StringRef key) {
  const json::Value *value = find(key);
  if (!value) return std::nullopt;
  std::vector<std::string> found;
  const json::Array *array = value->getAsArray();
  if (array)
    for (const json::Value &element : *array)
      if (llvm::Optional<llvm::StringRef> text = element.getAsString()) found.push_back(text->str());
  if (!array || found.size() != array->size()) return fail(key, "is no list of strings"), std::nullopt;
  return found;
}

void ConfigKeys::fail(llvm::StringRef key, llvm::StringRef what, llvm::StringRef remedy) {
  errors_ =
      llvm::joinErrors(std::move(errors_), problem(("key '" + prefix_ + key + "' of " + where_).str(), what, remedy));
}

} // namespace autotp
