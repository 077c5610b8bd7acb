#include "passes/options/recorded_values.h"

#include "passes/options/compile_row.h"
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"

namespace autotp {
namespace {

/// What the manifest holds of the option.
const OptionMember &recordedMember(const CompileRow &row) { return row.recorded.get ? row.recorded : row.member; }
OptionKind recordedKind(const CompileRow &row) { return row.recorded.get ? row.recorded.kind : row.kind(); }

llvm::StringRef recordedWord(const CompileRow &row, int64_t value) {
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

llvm::json::Value jsonOf(const CompileRow &row, OptionKind kind, const OptionValue &value) {
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

llvm::Error set(const CompileRow &row, const ReadValue &read, CompileOptions &options) {
  if (!read.fault.empty())
    return problem("manifest.json", "'" + row.name().str() + "' " + read.fault, "compile the plan again");
  recordedMember(row).set(options, read.value);
  return llvm::Error::success();
}

} // namespace

std::optional<llvm::json::Value> recordedValue(const CompileRow &row, const CompileOptions &options) {
  if (row.key.empty()) return std::nullopt;
  llvm::json::Value json = jsonOf(row, recordedKind(row), recordedMember(row).get(options));
  const bool isEmpty = json.getAsNull() || json.getAsString() == llvm::StringRef("");
  if (row.is(kLeftOutIfEmpty) && isEmpty) return std::nullopt;
  return json;
}

llvm::Error restoreValue(const CompileRow &row, const llvm::json::Value &json, CompileOptions &options) {
  return set(row, valueOfJson(row, recordedKind(row), json), options);
}

void writeField(const CompileRow &row, const CompileOptions &options, Manifest &manifest) {
  if (!row.field) return;
  const OptionValue value = row.member.get(options);
  auto write = [&](auto &member) {
    using T = std::remove_reference_t<decltype(member)>;
    if constexpr (std::is_same_v<T, std::string>)
      member = recordedWord(row, std::get<int64_t>(value)).str();
    else if constexpr (std::is_enum_v<T>)
      member = T(std::get<int64_t>(value));
    else
      member = std::get<T>(value);
  };
  std::visit([&](auto field) { write(memberOf(manifest, field)); }, *row.field);
}

llvm::Error readField(const CompileRow &row, const Manifest &manifest, CompileOptions &options) {
  if (!row.field) return llvm::Error::success();
  return std::visit([&](auto field) { return set(row, valueOfJson(row, memberOf(manifest, field)), options); },
                    *row.field);
}

} // namespace autotp
