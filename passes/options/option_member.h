/// \file How an option's row reaches its member of CompileOptions: at<&CompileOptions::step, &StepOptions::tp>().
#pragma once

#include "passes/compile_options.h"

#include <type_traits>
#include <utility>

namespace autotp {

/// What the values of an option are. OptionValue holds the type that is named here.
enum class OptionKind : uint8_t {
  Switch,   ///< bool: whether it is on
  Integer,  ///< int64_t
  Real,     ///< double
  Text,     ///< std::string
  Word,     ///< int64_t: the number of one of the row's words
  Sizes,    ///< NamedSizes: NAME=N, any number of times
  Meanings, ///< NamedTexts: NAME=TEXT, any number of times
  Names,    ///< std::vector<std::string>: NAME, any number of times
};

/// `set` takes a value of the kind's type. Values of several parts are added to what is there.
struct OptionMember {
  OptionKind kind = OptionKind::Switch;
  OptionValue (*get)(const CompileOptions &) = nullptr;
  void (*set)(CompileOptions &, const OptionValue &) = nullptr;
};

template <typename T> constexpr OptionKind optionKindOf() {
  if constexpr (std::is_same_v<T, bool>)
    return OptionKind::Switch;
  else if constexpr (std::is_enum_v<T>)
    return OptionKind::Word;
  else if constexpr (std::is_integral_v<T>)
    return OptionKind::Integer;
  else if constexpr (std::is_floating_point_v<T>)
    return OptionKind::Real;
  else if constexpr (std::is_same_v<T, llvm::StringMap<int64_t>>)
    return OptionKind::Sizes;
  else if constexpr (std::is_same_v<T, llvm::StringMap<std::string>>)
    return OptionKind::Meanings;
  else if constexpr (std::is_same_v<T, std::vector<std::string>>)
    return OptionKind::Names;
  else
    return OptionKind::Text;
}

/// Of a map's parts, as they travel.
template <OptionKind kKind> using NamedParts = std::conditional_t<kKind == OptionKind::Sizes, NamedSizes, NamedTexts>;

template <typename T> OptionValue optionValueOf(const T &member) {
  constexpr OptionKind kKind = optionKindOf<T>();
  if constexpr (kKind == OptionKind::Integer || kKind == OptionKind::Word) {
    return int64_t(member);
  } else if constexpr (kKind == OptionKind::Sizes || kKind == OptionKind::Meanings) {
    NamedParts<kKind> parts;
    for (const auto &entry : member)
      parts[entry.getKey().str()] = entry.getValue();
    return parts;
  } else {
    return member;
  }
}

template <typename T> void setOptionValue(T &member, const OptionValue &value) {
  constexpr OptionKind kKind = optionKindOf<T>();
  if constexpr (kKind == OptionKind::Integer || kKind == OptionKind::Word) {
    member = T(std::get<int64_t>(value));
  } else if constexpr (kKind == OptionKind::Sizes || kKind == OptionKind::Meanings) {
    for (const auto &[name, part] : std::get<NamedParts<kKind>>(value))
      member[name] = part;
  } else if constexpr (kKind == OptionKind::Names) {
    llvm::append_range(member, std::get<T>(value));
  } else {
    member = std::get<T>(value);
  }
}

/// The member that this path of members leads to; what its type is decides what the option's values are.
template <auto... kPath> constexpr OptionMember at() {
  using T = std::remove_cvref_t<decltype((std::declval<CompileOptions &>().*....*kPath))>;
  return {optionKindOf<T>(), [](const CompileOptions &o) { return optionValueOf((o.*....*kPath)); },
          [](CompileOptions &o, const OptionValue &value) { setOptionValue((o.*....*kPath), value); }};
}

/// The same of a switch that takes words: the second switches it on.
template <auto... kPath> constexpr OptionMember wordAt() {
  return {OptionKind::Word, [](const CompileOptions &o) { return OptionValue(int64_t((o.*....*kPath))); },
          [](CompileOptions &o, const OptionValue &value) { (o.*....*kPath) = std::get<int64_t>(value) != 0; }};
}

} // namespace autotp
