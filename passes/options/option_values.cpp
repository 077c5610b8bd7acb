#include "passes/options/option_values.h"

#include "compiler/ir/tensor.h"
#include "passes/options/option_row.h"
#include "runtime/base/error.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

#include <cmath>

namespace autotp {
namespace {

bool isIn(const OptionRange &range, double number) {
  return std::isfinite(number) && number >= range.least &&
         (range.isMostExcluded ? number < range.most : number <= range.most);
}

std::string outOfRange(const OptionRange &range) {
  const std::string least = numberText(range.least), most = numberText(range.most);
  if (range.isMostExcluded) return "is not in [" + least + ", " + most + ")";
  if (std::isfinite(range.most)) return "is not from " + least + " to " + most;
  return range.least == 0 ? "is negative, infinite or no number" : "is not " + least + " or more";
}

ReadValue whole(const OptionRow &row, llvm::Optional<int64_t> number) {
  if (!number) return {{}, "is no whole number"};
  return {*number, isIn(row.range, double(*number)) ? "" : outOfRange(row.range)};
}

ReadValue real(const OptionRow &row, llvm::Optional<double> number) {
  if (!number) return {{}, "is no number"};
  return {*number, isIn(row.range, *number) ? "" : outOfRange(row.range)};
}

ReadValue ofItsForm(const OptionRow &row, llvm::StringRef text) {
  if (!row.isOfItsForm || row.isOfItsForm(text)) return {text.str(), ""};
  return {{}, "is not of the form " + row.placeholder.str()};
}

/// "is neither auto nor all", "is none of cpu, cuda, tpu".
std::string noneOf(const std::vector<std::string> &words) {
  if (words.size() == 1) return "is not " + words[0];
  if (words.size() == 2) return "is neither " + words[0] + " nor " + words[1];
  return "is none of " + llvm::join(words, ", ");
}

/// `isRecorded`: as the manifest writes it; there is a word then for what no flag says.
ReadValue word(const OptionRow &row, llvm::StringRef text, bool isRecorded) {
  for (const OptionWord &word : row.words) {
    const bool isHere = isRecorded ? text == (word.recorded.empty() ? word.name : word.recorded)
                                   : text == word.name && !word.help.empty();
    if (isHere) return {word.value, ""};
  }
  return {{}, noneOf(wordNames(row))};
}

/// NAME=N or NAME=TEXT.
ReadValue part(const OptionRow &row, llvm::StringRef text) {
  const ReadValue wrong{{}, "is not of the form " + row.placeholder.str()};
  auto [name, value] = text.rsplit('=');
  if (name.empty() || value.empty()) return wrong;
  if (row.kind() == OptionKind::Meanings) return {NamedTexts{{name.str(), value.str()}}, ""};
  int64_t size = 0;
  if (value.getAsInteger(10, size) || !isIn(row.range, double(size))) return wrong;
  return {NamedSizes{{name.str(), size}}, ""};
}

ReadValue partsOfJson(const OptionRow &row, OptionKind kind, const llvm::json::Value &json) {
  if (kind == OptionKind::Names) {
    std::vector<std::string> names;
    if (const llvm::json::Array *array = json.getAsArray())
      for (const llvm::json::Value &name : *array)
        names.push_back(name.getAsString().getValueOr("").str());
    return {std::move(names), json.getAsArray() || json.getAsNull() ? "" : "is no list"};
  }
  const llvm::json::Object *object = json.getAsObject();
  if (!object) return {{}, "is no object"};
  NamedSizes sizes;
  NamedTexts texts;
  for (const auto &[name, value] : *object) {
    if (kind == OptionKind::Sizes) {
      ReadValue size = whole(row, value.getAsInteger());
      if (!size.fault.empty()) return size;
      sizes[name.str()] = std::get<int64_t>(size.value);
    } else {
      texts[name.str()] = value.getAsString().getValueOr("").str();
    }
  }
  if (kind == OptionKind::Sizes) return {std::move(sizes), ""};
  return {std::move(texts), ""};
}

ReadValue valueOfKind(const OptionRow &row, OptionKind kind, const llvm::json::Value &json) {
  switch (kind) {
  case OptionKind::Switch:
    if (auto isOn = json.getAsBoolean()) return {*isOn, ""};
    return {{}, "is neither true nor false"};
  case OptionKind::Integer:
    return whole(row, json.getAsInteger());
  case OptionKind::Real:
    return real(row, json.getAsNumber());
  case OptionKind::Text:
    if (auto text = json.getAsString()) return ofItsForm(row, *text);
    return {{}, "is no text"};
  case OptionKind::Word:
    if (auto text = json.getAsString()) return word(row, *text, /*isRecorded=*/true);
    return {{}, "is no text"};
  case OptionKind::Sizes:
  case OptionKind::Meanings:
  case OptionKind::Names:
    return partsOfJson(row, kind, json);
  }
  return {};
}

/// What the manifest holds of the option.
const OptionMember &recordedMember(const OptionRow &row) { return row.recorded.get ? row.recorded : row.member; }
OptionKind recordedKind(const OptionRow &row) { return row.recorded.get ? row.recorded.kind : row.kind(); }

llvm::StringRef recordedWord(const OptionRow &row, int64_t value) {
  for (const OptionWord &word : row.words)
    if (word.value == value) return word.recorded.empty() ? word.name : word.recorded;
  return "";
}

template <typename Parts> llvm::json::Value objectOf(const Parts &parts) {
  llvm::json::Object object;
  for (const auto &[name, part] : parts)
    object[llvm::json::fixUTF8(name)] = part;
  return object;
}

llvm::json::Value jsonOf(const OptionRow &row, OptionKind kind, const OptionValue &value) {
  if (kind == OptionKind::Word) return recordedWord(row, std::get<int64_t>(value));
  return std::visit(
      [](const auto &v) -> llvm::json::Value {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return llvm::json::fixUTF8(v);
        } else if constexpr (std::is_same_v<T, NamedSizes> || std::is_same_v<T, NamedTexts>) {
          return objectOf(v);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          return v.empty() ? llvm::json::Value(nullptr) : llvm::json::Array(v);
        } else {
          return v;
        }
      },
      value);
}

llvm::Error set(const OptionRow &row, ReadValue read, CompileOptions &options) {
  if (!read.fault.empty())
    return problem("manifest.json", "'" + row.name().str() + "' " + read.fault, "compile the plan again");
  recordedMember(row).set(options, read.value);
  return llvm::Error::success();
}

} // namespace

ReadValue valueOfText(const OptionRow &row, llvm::StringRef text) {
  switch (row.kind()) {
  case OptionKind::Switch:
    return {(text == "true") != row.is(kNegated), ""};
  case OptionKind::Integer: {
    int64_t number = 0;
    if (text.getAsInteger(0, number)) return whole(row, llvm::None);
    return whole(row, number);
  }
  case OptionKind::Real: {
    double number = 0;
    if (!llvm::to_float(text, number)) return real(row, llvm::None);
    return real(row, number);
  }
  case OptionKind::Text:
    return ofItsForm(row, text);
  case OptionKind::Word:
    return word(row, text, /*isRecorded=*/false);
  case OptionKind::Sizes:
  case OptionKind::Meanings:
    return part(row, text);
  case OptionKind::Names:
    return {std::vector<std::string>{text.str()}, ""};
  }
  return {};
}

ReadValue valueOfJson(const OptionRow &row, const llvm::json::Value &json) {
  return valueOfKind(row, row.kind(), json);
}

std::optional<llvm::json::Value> recordedValue(const OptionRow &row, const CompileOptions &options) {
  if (row.key.empty()) return std::nullopt;
  llvm::json::Value json = jsonOf(row, recordedKind(row), recordedMember(row).get(options));
  if (row.is(kLeftOutIfEmpty) && json.getAsNull()) return std::nullopt;
  return json;
}

llvm::Error restoreValue(const OptionRow &row, const llvm::json::Value &json, CompileOptions &options) {
  return set(row, valueOfKind(row, recordedKind(row), json), options);
}

void writeField(const OptionRow &row, const CompileOptions &options, Manifest &manifest) {
  if (!row.field) return;
  const OptionValue value = row.member.get(options);
  if (auto *whole = std::get_if<int64_t Manifest::*>(&*row.field)) manifest.**whole = std::get<int64_t>(value);
  if (auto *real = std::get_if<double Manifest::*>(&*row.field)) manifest.**real = std::get<double>(value);
  if (auto *text = std::get_if<std::string Manifest::*>(&*row.field))
    manifest.**text = recordedWord(row, std::get<int64_t>(value)).str();
}

llvm::Error readField(const OptionRow &row, const Manifest &manifest, CompileOptions &options) {
  if (!row.field) return llvm::Error::success();
  return std::visit([&](auto field) { return set(row, valueOfJson(row, manifest.*field), options); }, *row.field);
}

std::string numberText(double number) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.15g", number);
  for (size_t at; (at = text.find("e-0")) != std::string::npos;)
    text.erase(at + 2, 1);
  return text;
}

std::vector<std::string> wordNames(const OptionRow &row) {
  std::vector<std::string> names;
  for (const OptionWord &word : row.words)
    if (!word.help.empty()) names.push_back(word.name.str());
  return names;
}

} // namespace autotp
