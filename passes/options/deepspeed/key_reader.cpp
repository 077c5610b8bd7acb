#include "passes/options/deepspeed/key_reader.h"

#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/known_keys.h"
#include "runtime/options/option_values.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>

namespace autotp {
namespace {

using llvm::json::Value;

constexpr double kMost = 1e9; // of any number
constexpr llvm::StringLiteral kNoNumber = "is out of range, or no number";

/// What to do about a number that is out of this range.
std::string sayANumber(double least, double most) {
  const std::string from = "say a number from " + numberText(std::isfinite(least) ? least : 0);
  return most < kMost ? from + " to " + numberText(most) : from + " on";
}

} // namespace

bool KeyReader::isFlagged(llvm::StringRef flag) const {
  return !flag.empty() && llvm::any_of(o.said, [&](const SaidOption &said) {
    return said.by == SaidBy::CommandLine && said.option->flag == flag;
  });
}

const Value *KeyReader::decide(llvm::StringRef key, llvm::StringRef flag) {
  if (const Value *value = keys.take(key)) return value;
  const KnownKey *known = findKnownKey(key);
  const bool isAuto = keys.isAuto(key);
  if (isFlagged(flag)) {
    if (isAuto) tellAuto(key, "what --" + flag + " says");
    return nullptr;
  }
  const llvm::StringRef text = isAuto ? known->hugging : known->absent;
  if (isAuto && text.empty())
    tellAuto(key, flag.empty() ? "no more than if it were absent" : "the default of --" + flag);
  if (text.empty()) return nullptr;
  if (isAuto)
    tellHugging(key, text);
  else
    tellDefault(key, text);
  return &defaults_.emplace_back(llvm::cantFail(llvm::json::parse(text)));
}

void KeyReader::note(const CompileRow &row, llvm::StringRef key) {
  const llvm::StringRef section = key.split('.').first; // which is what a user looks for
  o.said.push_back({&row, SaidBy::DeepSpeedConfig, ("'" + section + "' of --ds-config").str(), row.member.get(o)});
}

void KeyReader::say(const CompileRow &row, llvm::StringRef key, const OptionValue &value) {
  if (!isFlagged(row.flag)) row.member.set(o, value);
  if (keys.find(key)) note(row, key);
}

std::optional<OptionValue> KeyReader::valueOf(const CompileRow &row, llvm::StringRef key) {
  const Value *json = decide(key, row.flag);
  if (!json) return std::nullopt;
  const ReadValue read = valueOfJson(row, *json);
  const bool isNumber = row.kind() == OptionKind::Integer || row.kind() == OptionKind::Real;
  if (read.fault.empty() && (!isNumber || *json->getAsNumber() <= kMost)) return read.value;
  keys.wrong(key, isNumber ? llvm::StringRef(kNoNumber) : llvm::StringRef(read.fault),
             isNumber ? sayANumber(row.range.least, row.range.most) : "say one that it can have");
  return std::nullopt;
}

void KeyReader::take(const CompileRow &row, llvm::StringRef key) {
  if (std::optional<OptionValue> value = valueOf(row, key)) say(row, key, *value);
}

std::optional<int64_t> KeyReader::number(llvm::StringRef key, int64_t least, int64_t most, llvm::StringRef flag) {
  const Value *json = decide(key, flag);
  if (!json) return std::nullopt;
  if (auto number = json->getAsInteger(); number && *number >= least && *number <= most) return *number;
  keys.wrong(key, kNoNumber, sayANumber(double(least), double(most)));
  return std::nullopt;
}

bool KeyReader::isTrue(llvm::StringRef key, bool otherwise, llvm::StringRef flag) {
  const Value *json = decide(key, flag);
  if (!json) return otherwise;
  if (!json->getAsBoolean()) keys.wrong(key, "is neither true nor false", "say one of the two");
  return json->getAsBoolean().getValueOr(otherwise);
}

void KeyReader::tellAuto(llvm::StringRef key, const llvm::Twine &what) {
  if (!isQuiet) autos_.push_back((key + " is " + what).str());
}

void KeyReader::tellHugging(llvm::StringRef key, const llvm::Twine &value) {
  if (!isQuiet) hugging_.push_back((key + " " + value).str());
}

void KeyReader::tellDefault(llvm::StringRef key, const llvm::Twine &value) {
  if (!isQuiet) absent_.push_back((key + " " + value).str());
}

std::vector<std::string> KeyReader::told() const {
  std::vector<std::string> lines;
  if (const std::string harmless = keys.harmless(); !harmless.empty()) lines.push_back("harmless here: " + harmless);
  if (!hugging_.empty()) lines.push_back("\"auto\", so Hugging Face's default: " + llvm::join(hugging_, ", "));
  if (!autos_.empty()) lines.push_back("\"auto\": " + llvm::join(autos_, "; "));
  if (!absent_.empty()) lines.push_back("absent, so DeepSpeed's default: " + llvm::join(absent_, ", "));
  lines.insert(lines.end(), sentences_.begin(), sentences_.end());
  return lines;
}

std::string valueText(const CompileRow &row, const OptionValue &value) {
  if (const int64_t *whole = std::get_if<int64_t>(&value)) {
    for (const OptionWord &word : row.words)
      if (word.value == *whole) return word.name.str();
    return std::to_string(*whole);
  }
  if (const bool *isOn = std::get_if<bool>(&value)) return *isOn ? "true" : "false";
  if (const double *real = std::get_if<double>(&value)) return numberText(*real);
  return "";
}

} // namespace autotp
