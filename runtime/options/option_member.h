/// \file How an option's row reaches its member of a program's options: at<&CompileOptions::step, &StepOptions::tp>().
#pragma once

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace autotp {

using NamedSizes = std::map<std::string, int64_t>;
using NamedTexts = std::map<std::string, std::string>;
/// A value on its way from the command line, or from JSON, to a member, and back.
using OptionValue = std::variant<bool, int64_t, double, std::string, NamedSizes, NamedTexts, std::vector<std::string>>;

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

/// The base of each program's struct of options. The rows of a program reach into one struct, and are given no other.
struct ProgramOptions {};

/// `set` takes a value of the kind's type. Values of several parts are added to what is there.
struct OptionMember {
  OptionKind kind = OptionKind::Switch;
  OptionValue (*get)(const ProgramOptions &) = nullptr;
  void (*set)(ProgramOptions &, const OptionValue &) = nullptr;
  OptionValue (*initial)() = nullptr; ///< where nothing is set
};

template <typename T> struct PlainType { using Type = T; };
template <typename T> struct PlainType<std::optional<T>> { using Type = T; };

template <typename Member> constexpr OptionKind optionKindOf() {
  using T = typename PlainType<Member>::Type;
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
  if constexpr (!std::is_same_v<T, typename PlainType<T>::Type>) {
    return optionValueOf(member.value_or(typename PlainType<T>::Type()));
  } else if constexpr (kKind == OptionKind::Integer || kKind == OptionKind::Word) {
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
  if constexpr (!std::is_same_v<T, typename PlainType<T>::Type>) {
    setOptionValue(member.emplace(), value);
  } else if constexpr (kKind == OptionKind::Integer || kKind == OptionKind::Word) {
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

template <typename T> struct SetterOf;
template <typename O> struct SetterOf<void (*)(O &, const OptionValue &)> { using Options = O; };

/// A member, or what stands for one, that these two functions read and write.
template <auto kGet, auto kSet> constexpr OptionMember accessedBy(OptionKind kind) {
  using Options = typename SetterOf<decltype(kSet)>::Options;
  return {kind, [](const ProgramOptions &o) -> OptionValue { return kGet(static_cast<const Options &>(o)); },
          [](ProgramOptions &o, const OptionValue &value) { kSet(static_cast<Options &>(o), value); },
          []() -> OptionValue { return kGet(Options()); }};
}

template <auto...> struct PathFrom;
template <typename O, typename T, T O::*kFirst, auto... kRest> struct PathFrom<kFirst, kRest...> { using Options = O; };

template <typename Options, auto... kPath> OptionValue valueAt(const Options &o) {
  return optionValueOf((o.*....*kPath));
}
template <typename Options, auto... kPath> void setAt(Options &o, const OptionValue &value) {
  setOptionValue((o.*....*kPath), value);
}

/// The member that this path of members leads to; what its type is decides what the option's values are.
template <auto... kPath> constexpr OptionMember at() {
  using Options = typename PathFrom<kPath...>::Options;
  using T = std::remove_cvref_t<decltype((std::declval<Options &>().*....*kPath))>;
  return accessedBy<valueAt<Options, kPath...>, setAt<Options, kPath...>>(optionKindOf<T>());
}

template <typename Options, auto... kPath> OptionValue wordOfSwitch(const Options &o) {
  return int64_t((o.*....*kPath));
}
template <typename Options, auto... kPath> void setByWord(Options &o, const OptionValue &value) {
  (o.*....*kPath) = std::get<int64_t>(value) != 0;
}

/// The same of a switch that takes words: the second switches it on.
template <auto... kPath> constexpr OptionMember wordAt() {
  using Options = typename PathFrom<kPath...>::Options;
  return accessedBy<wordOfSwitch<Options, kPath...>, setByWord<Options, kPath...>>(OptionKind::Word);
}

} // namespace autotp
