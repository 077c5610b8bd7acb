/// \file What an option of a program is: one row, which says all that anyone has to know of it. The command line, --help,
/// the checks of values, and the tables of the documents are loops over rows.
#pragma once

#include "runtime/options/option_member.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <array>
#include <limits>

namespace autotp {

/// The numbers that an option takes: from `least` to `most`, which itself may be excluded.
struct OptionRange {
  double least = -std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::infinity();
  bool isMostExcluded = false;
};
constexpr OptionRange kNotNegative{0};
constexpr OptionRange kBelowOne{0, 1, true};

/// One of the words that an option takes, and the number that its member has then; of a text the word itself is the
/// value. A word without help is never said: it is the value of an option that is not given.
struct OptionWord {
  llvm::StringRef name;
  int64_t value = 0;
  llvm::StringRef help = {};
  llvm::StringRef recorded = {}; ///< as JSON writes it; empty: as it is said
};

/// The words of a table whose rows say a kind, its name and its help.
template <typename Row, size_t kCount>
constexpr std::array<OptionWord, kCount> wordsOfKinds(const Row (&rows)[kCount]) {
  std::array<OptionWord, kCount> words;
  for (size_t i = 0; i < kCount; ++i)
    words[i] = {rows[i].name, int64_t(rows[i].kind), rows[i].help};
  return words;
}

/// A file that an option names for the program to write: whole at the end, or while it grows.
enum class OptionOutput : uint8_t { None, Whole, Streamed };

struct OptionRow {
  llvm::StringRef flag = {};        ///< "tp" for --tp; "no-x" switches its member off; empty: no flag says it
  llvm::StringRef placeholder = {}; ///< of its value, in --help: "N"
  OptionMember member;
  OptionRange range = {};
  llvm::ArrayRef<OptionWord> words = {};               ///< those that it takes; empty: it takes any text of its kind
  bool (*isOfItsForm)(llvm::StringRef text) = nullptr; ///< whether a text is what the placeholder says; null: any is
  llvm::StringRef help;             ///< a sentence without its full stop; the default follows by itself
  llvm::StringRef detail = {};      ///< more of it, for the documents
  llvm::StringRef defaultText = {}; ///< where the member's first value does not say it
  llvm::StringRef only = {};        ///< in which cases alone it is there: "momentum"
  OptionOutput output = OptionOutput::None;
  bool mayDiffer = false; ///< between the ranks of a run

  OptionKind kind() const { return member.kind; }
  bool isNegated() const { return kind() == OptionKind::Switch && flag.startswith("no-"); }
  /// Without a flag, and yet on the command line.
  bool isPositional() const { return flag.empty() && !placeholder.empty(); }
};

/// Rows that belong together, under their heading in --help and in the documents. The rows live as long as the program.
struct OptionSection {
  llvm::StringRef title;
  std::vector<const OptionRow *> rows;

  template <typename Rows> OptionSection(llvm::StringRef title, const Rows &table) : title(title) {
    for (const OptionRow &row : table)
      rows.push_back(&row);
  }
};

/// "--tp", "-o", or "PLAN" of what has no flag.
std::string flagText(const OptionRow &row);

/// The names of the words that the flag takes.
std::vector<std::string> wordNames(const OptionRow &row);

/// What is wrong with a row by itself: a range of what is no number, or words that contradict its member.
std::vector<std::string> faultsOf(const OptionRow &row);

} // namespace autotp
