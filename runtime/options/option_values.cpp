#include "runtime/options/option_values.h"

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

std::string outOfRange(const OptionRow &row) {
  const OptionRange &range = row.range;
  const std::string least = numberText(range.least), most = numberText(range.most);
  if (range.isMostExcluded) return "is not in [" + least + ", " + most + ")";
  if (std::isfinite(range.most)) return "is not from " + least + " to " + most;
  return range.least == 0 && row.kind() == OptionKind::Real ? "is negative, infinite or no number"
                                                            : "is not " + least + " or more";
}

ReadValue whole(const OptionRow &row, llvm::Optional<int64_t> number) {
  if (!number) return {{}, "is no whole number"};
  return {*number, isIn(row.range, double(*number)) ? "" : outOfRange(row)};
}

ReadValue real(const OptionRow &row, llvm::Optional<double> number) {
  if (!number) return {{}, "is no number"};
  return {*number, isIn(row.range, *number) ? "" : outOfRange(row)};
}

/// "is neither auto nor all", "is none of cpu, cuda, tpu".
std::string noneOf(const std::vector<std::string> &words) {
  if (words.size() == 1) return "is not " + words[0];
  if (words.size() == 2) return "is neither " + words[0] + " nor " + words[1];
  return "is none of " + llvm::join(words, ", ");
}

/// `isRecorded`: as JSON writes it; there is a word then for what no flag says.
ReadValue word(const OptionRow &row, llvm::StringRef text, bool isRecorded) {
  for (const OptionWord &word : row.words) {
    const bool isHere = isRecorded ? text == (word.recorded.empty() ? word.name : word.recorded)
                                   : text == word.name && !word.help.empty();
    if (isHere) return {word.value, ""};
  }
  return {{}, noneOf(wordNames(row))};
}

ReadValue textOfItsForm(const OptionRow &row, llvm::StringRef text) {
  if (!row.words.empty() && !llvm::is_contained(wordNames(row), text)) return {{}, noneOf(wordNames(row))};
  if (!row.isOfItsForm || row.isOfItsForm(text)) return {text.str(), ""};
  return {{}, "is not of the form " + row.placeholder.str()};
}

/// NAME=N or NAME=TEXT.
ReadValue part(const OptionRow &row, llvm::StringRef text) {
  ReadValue wrong{{}, "is not of the form " + row.placeholder.str()};
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

} // namespace

ReadValue valueOfText(const OptionRow &row, llvm::StringRef text) {
  switch (row.kind()) {
  case OptionKind::Switch:
    return {(text == "true") != row.isNegated(), ""};
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
    return textOfItsForm(row, text);
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
  return valueOfJson(row, row.kind(), json);
}

ReadValue valueOfJson(const OptionRow &row, OptionKind kind, const llvm::json::Value &json) {
  switch (kind) {
  case OptionKind::Switch:
    if (auto isOn = json.getAsBoolean()) return {*isOn, ""};
    return {{}, "is neither true nor false"};
  case OptionKind::Integer:
    return whole(row, json.getAsInteger());
  case OptionKind::Real:
    return real(row, json.getAsNumber());
  case OptionKind::Text:
    if (auto text = json.getAsString()) return textOfItsForm(row, *text);
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

bool GivenFlag::saysNothing() const {
  auto isNothing = [](const OptionWord &word) { return word.name.empty(); };
  const bool takesAny = option->kind() == OptionKind::Text && option->words.empty() && !option->isOfItsForm;
  return text.empty() && (takesAny || llvm::any_of(option->words, isNothing));
}

llvm::Expected<OptionValue> valueOf(const GivenFlag &given) {
  ReadValue read = valueOfText(*given.option, given.text);
  if (!read.fault.empty()) return problem(flagText(*given.option), "'" + escaped(given.text) + "' " + read.fault);
  return std::move(read.value);
}

llvm::Error setFlags(llvm::ArrayRef<GivenFlag> flags, ProgramOptions &options) {
  llvm::Error errors = llvm::Error::success();
  for (const GivenFlag &given : flags) {
    if (given.saysNothing()) continue;
    if (llvm::Expected<OptionValue> value = valueOf(given))
      given.option->member.set(options, *value);
    else
      errors = llvm::joinErrors(std::move(errors), value.takeError());
  }
  return errors;
}

std::string numberText(double number) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.15g", number);
  for (size_t at; (at = text.find("e-0")) != std::string::npos;)
    text.erase(at + 2, 1);
  return text;
}

} // namespace autotp
