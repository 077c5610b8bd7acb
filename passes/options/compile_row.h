/// \file What an option of autotp-compile is: a row as any program has, and what DeepSpeed's configuration and a plan's
/// manifest make of it. All that read or write these are loops over the rows (option_rows.h).
#pragma once

#include "passes/compile_options.h"
#include "runtime/options/option_row.h"
#include "runtime/plan/manifest.h"

namespace autotp {

/// Which passes a value may name.
enum class PassNames : uint8_t { None, Every, EveryOrAll, Optional };

/// What is another one under another value of the option. A plan is proven against the global graph and the update of a
/// step, so the manifest records whatever changes these.
enum class Changes : uint8_t {
  Nothing,
  Plan, ///< what the ranks run, or hold
  Graph ///< the global graph, or the update
};

enum CompileTraits : uint8_t {
  kOfOptimizer = 1,        ///< some optimizers have it, others do not
  kDefaultOfOptimizer = 2, ///< its default is the optimizer's
  kOfTrainingGraph = 4,    ///< a model that brings its own training graph says it already
  kLeftOutIfEmpty = 8,     ///< the manifest has no key for an empty list or text
  kConverted = 16, ///< DeepSpeed's key has another unit, or says several options: passes/options/deepspeed reads it
  kOfRate = 32,    ///< says the learning rate, which is the run's unless a model's own training graph computes it
};

struct CompileFacts {
  PassNames passes = PassNames::None;
  llvm::StringRef key = {};   ///< in the manifest's "source"; empty: none
  OptionMember recorded = {}; ///< what the manifest holds in the member's place, such as a file's contents
  std::optional<ManifestMember> field = {}; ///< in the manifest itself, because autotp-run reads it too
  llvm::StringRef deepSpeed = {};           ///< the key of DeepSpeed's configuration that says the same
  Changes changes = Changes::Nothing;
  uint8_t traits = 0;

  bool is(CompileTraits trait) const { return traits & trait; }
};

/// {{what any program's row says}, {what only this one's do}}.
struct CompileRow : OptionRow, CompileFacts {
  /// "tp", or the manifest's key where there is no flag.
  llvm::StringRef name() const { return !flag.empty() ? flag : field ? keyOf(*field) : key; }
};

/// A row of a section of option_rows.h, which are all of this type.
inline const CompileRow &compileRow(const OptionRow &row) { return static_cast<const CompileRow &>(row); }

} // namespace autotp
