/// \file What an option of autotp-compile is: one row, which says all that anyone has to know of it. The command line,
/// --help, the checks of ranges, DeepSpeed's configuration, what a plan's manifest records, and the tables of the
/// documents are loops over these rows (option_rows.h).
#pragma once

#include "passes/options/option_member.h"
#include "runtime/plan/manifest.h"

#include <limits>
#include <optional>

namespace autotp {

/// The numbers that an option takes: from `least` to `most`, which itself may be excluded.
struct OptionRange {
  double least = -std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::infinity();
  bool isMostExcluded = false;
};
constexpr OptionRange kNotNegative{0};
constexpr OptionRange kBelowOne{0, 1, true};

/// One of the words that an option takes, and the number that the member has then. A word without help is the
/// manifest's only: what it writes where the option is not given.
struct OptionWord {
  llvm::StringRef name;
  int64_t value;
  llvm::StringRef help;
  llvm::StringRef recorded = {}; ///< as the manifest writes it; empty: as it is said
};

/// Which passes a value may name.
enum class PassNames : uint8_t { None, Every, EveryOrAll, Optional };

/// What is another one under another value of the option. A plan is proven against the global graph and the update of a
/// step, so the manifest records whatever changes these.
enum class Changes : uint8_t {
  Nothing,
  Plan, ///< what the ranks run, or hold
  Graph ///< the global graph, or the update
};

enum OptionTraits : uint8_t {
  kPositional = 1,
  kNegated = 2,            ///< the flag "no-x" switches its member off
  kOfOptimizer = 4,        ///< some optimizers have it, others do not
  kDefaultOfOptimizer = 8, ///< its default is the optimizer's
  kOfTrainingGraph = 16,   ///< a model that brings its own training graph says it already
  kLeftOutIfEmpty = 32,    ///< the manifest has no key for an empty list, instead of null
  kConverted = 64,         ///< DeepSpeed's key has another unit, or says several options: deepspeed_config.cpp reads it
};

struct OptionRow {
  llvm::StringRef flag = {};        ///< "tp" for --tp; empty: no flag says it
  llvm::StringRef placeholder = {}; ///< of its value, in --help: "N"
  OptionMember member;
  OptionRange range = {};
  llvm::ArrayRef<OptionWord> words = {}; ///< those that it takes; empty: it takes no words
  PassNames passes = PassNames::None;
  bool (*isOfItsForm)(llvm::StringRef text) = nullptr; ///< whether a text is what the placeholder says; null: any is
  llvm::StringRef key = {};                            ///< in the manifest's "source"; empty: none
  OptionMember recorded = {}; ///< what the manifest holds in the member's place, such as a file's contents
  std::optional<ManifestMember> field = {}; ///< in the manifest itself, because autotp-run reads it too
  llvm::StringRef deepSpeed = {};           ///< the key of DeepSpeed's configuration that says the same
  Changes changes = Changes::Nothing;
  uint8_t traits = 0;
  llvm::StringRef help;             ///< a sentence without its full stop; the default follows by itself
  llvm::StringRef detail = {};      ///< more of it, for the documents
  llvm::StringRef defaultText = {}; ///< where the member's first value does not say it

  bool is(OptionTraits trait) const { return traits & trait; }
  OptionKind kind() const { return member.kind; }
  /// "tp", or the manifest's key where there is no flag.
  llvm::StringRef name() const { return flag.empty() ? key : flag; }
};

/// Rows that belong together, under their heading in --help and in the documents.
struct OptionSection {
  llvm::StringRef title;
  llvm::ArrayRef<OptionRow> rows;
};

} // namespace autotp
