#include "passes/options/deepspeed_keys.h"

#include "runtime/base/error.h"

namespace autotp {

/// Objects whose keys are known one by one.
constexpr llvm::StringLiteral kSections[] = {"tensor_parallel", "zero_optimization", "optimizer", "optimizer.params",
                                             "scheduler",       "scheduler.params",  "bf16",      "fp16"};

DeepSpeedKeys::DeepSpeedKeys(const llvm::json::Object &configuration) { read(configuration, ""); }

void DeepSpeedKeys::read(const llvm::json::Object &object, const std::string &prefix) {
  for (const auto &[key, value] : object) {
    const std::string path = prefix + llvm::StringRef(key).str();
    const bool isSaid = value.getAsString() != llvm::StringRef("auto");
    if (!llvm::is_contained(kSections, path)) {
      values_[path] = isSaid ? &value : nullptr;
    } else if (const llvm::json::Object *section = value.getAsObject()) {
      sections_.insert(path);
      read(*section, path + ".");
    } else if (isSaid) {
      wrong(path, "is no object");
    }
  }
}

const llvm::json::Value *DeepSpeedKeys::find(llvm::StringRef path) const {
  auto at = values_.find(path.str());
  return at == values_.end() ? nullptr : at->second;
}

const llvm::json::Value *DeepSpeedKeys::take(llvm::StringRef path) {
  taken_.insert(path.str());
  return find(path);
}

bool DeepSpeedKeys::isAuto(llvm::StringRef path) const {
  auto at = values_.find(path.str());
  return at != values_.end() && !at->second;
}

void DeepSpeedKeys::takeAll(llvm::StringRef prefix) {
  for (const auto &[path, value] : values_)
    if (llvm::StringRef(path).startswith(prefix)) taken_.insert(path);
}

void DeepSpeedKeys::wrong(llvm::StringRef path, llvm::StringRef what) {
  wrong(problem("--ds-config", ("'" + path + "' " + what).str()));
}

void DeepSpeedKeys::wrong(llvm::Error error) {
  errors_ = llvm::joinErrors(std::move(errors_), std::move(error));
  isWrong_ = true;
}

llvm::Error DeepSpeedKeys::takeErrors() {
  for (const auto &[path, value] : values_)
    if (!taken_.count(path))
      wrong(problem("--ds-config", "'" + path + "' is not honoured",
                    "remove it from the file, or use the flag for it, see --help"));
  return std::move(errors_);
}

} // namespace autotp
