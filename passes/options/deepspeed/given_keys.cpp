#include "passes/options/deepspeed/given_keys.h"

#include "passes/options/deepspeed/known_keys.h"
#include "runtime/base/error.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace autotp {
namespace {

using llvm::json::Value;

constexpr llvm::StringLiteral kConfig = "--ds-config";

/// A key that DeepSpeed ignores, and that people write to say something to each other.
bool isRemark(llvm::StringRef key) { return key.startswith("_") || key.startswith("//"); }

/// Whether a value of a refused key asks for nothing. "auto" does: no default of Hugging Face's asks for one of these.
bool asksForNothing(const KnownKey &row, const Value *value) {
  if (!value || value->getAsNull()) return true;
  llvm::SmallVector<llvm::StringRef, 2> texts;
  row.unasked.split(texts, '|', -1, /*KeepEmpty=*/false);
  return llvm::any_of(texts, [&](llvm::StringRef text) { return llvm::cantFail(llvm::json::parse(text)) == *value; });
}

/// A value as a message shows it.
std::string shortText(const Value &value) {
  if (value.getAsObject() || value.getAsArray()) return "asked for";
  const auto word = value.getAsString();
  const std::string text = word ? "'" + escaped(*word) + "'" : escaped(llvm::formatv("{0}", value).str());
  return text.size() <= 40 ? text : text.substr(0, 37) + "...";
}

} // namespace

DeepSpeedKeys::DeepSpeedKeys(const llvm::json::Object &configuration) { read(configuration, ""); }

void DeepSpeedKeys::read(const llvm::json::Object &object, const std::string &prefix) {
  for (const auto &[key, value] : object) {
    if (isRemark(key)) continue;
    const std::string path = prefix + llvm::StringRef(key).str();
    if (isKnownSection(path))
      readSection(path, value);
    else
      values_[path] = value.getAsString() == llvm::StringRef("auto") ? nullptr : &value;
  }
}

void DeepSpeedKeys::readSection(const std::string &path, const Value &value) {
  if (const llvm::json::Object *section = value.getAsObject()) {
    sections_.insert(path);
    read(*section, path + ".");
  } else if (path == "zero_optimization" && value.getAsBoolean()) {
    values_[path] = &value; // as DeepSpeed had it once
  } else if (!value.getAsNull() && value.getAsString() != llvm::StringRef("auto")) {
    wrong(path, "is no object", "write its keys within braces");
  }
}

const Value *DeepSpeedKeys::find(llvm::StringRef path) const {
  auto at = values_.find(path.str());
  return at == values_.end() ? nullptr : at->second;
}

const Value *DeepSpeedKeys::take(llvm::StringRef path) {
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

void DeepSpeedKeys::wrong(llvm::StringRef path, llvm::StringRef what, llvm::StringRef remedy) {
  wrong(problem(kConfig, ("'" + path + "' " + what).str(), remedy));
}

void DeepSpeedKeys::wrong(llvm::Error error) {
  errors_ = llvm::joinErrors(std::move(errors_), std::move(error));
  isWrong_ = true;
}

void DeepSpeedKeys::refuse(const std::string &path, const Value *value) {
  const KnownKey *row = findKnownKey(path);
  if (!row) {
    const std::string closest = closestKnownKey(path);
    wrong(escaped(path), "is no key of DeepSpeed's configuration that is known here",
          (closest.empty() ? "" : "did you mean '" + closest + "'? If not, ") + "remove it");
  } else if (row->verdict == KeyVerdict::Honoured) {
    wrong(path, "means nothing to the optimizer or scheduler that the file names", "remove it");
  } else if (row->verdict == KeyVerdict::Refused && !asksForNothing(*row, value)) {
    wrong(path, "is " + shortText(*value) + ": " + row->why.str(), row->remedy);
  }
}

llvm::Error DeepSpeedKeys::takeErrors() {
  for (const std::string &path : sections_)
    if (const KnownKey *row = findKnownKey(path); row && row->verdict == KeyVerdict::Refused)
      wrong(path, "is there: " + row->why.str(), row->remedy);
  for (const auto &[path, value] : values_)
    if (!taken_.count(path)) refuse(path, value);
  return std::move(errors_);
}

std::string DeepSpeedKeys::harmless() const {
  std::vector<std::pair<llvm::StringRef, std::vector<std::string>>> reasons; // in the order of their first keys
  for (const auto &[path, value] : values_) {
    const KnownKey *row = findKnownKey(path);
    if (!row || row->verdict != KeyVerdict::Harmless) continue;
    auto at = llvm::find_if(reasons, [&](const auto &reason) { return reason.first == row->why; });
    if (at == reasons.end()) at = reasons.insert(at, {row->why, {}});
    at->second.push_back(path);
  }
  std::vector<std::string> texts;
  texts.reserve(reasons.size());
  for (const auto &[why, paths] : reasons)
    texts.push_back(llvm::join(paths, ", ") + " (" + why.str() + ")");
  return llvm::join(texts, "; ");
}

} // namespace autotp
