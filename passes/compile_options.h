/// \file What the user asks of a compile. passes/options has a row for each option, which says how it is asked for.
#pragma once

#include "compiler/onnx/import_options.h"
#include "passes/emit/plan_memory.h"
#include "passes/import/bind_loss.h"
#include "passes/import/classify_parameters.h"
#include "passes/import/weight_origins.h"
#include "passes/shard/choose_axes.h"
#include "passes/train/build_steps.h"
#include "passes/train/recompute.h"
#include "runtime/base/output_folder.h"
#include "runtime/options/option_member.h"
#include "runtime/plan/dtype.h"

#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace autotp {

/// What of the compiler's own work is shown, and where it ends.
struct LookInto {
  std::string printAfter; ///< a pass, or "all"
  std::string stopAfter;  ///< a pass; empty: none
  bool showsTimes = false, explainsParameters = false;
  std::vector<std::string> why; ///< names of values whose placement is explained
  llvm::raw_ostream *printTo = nullptr;
  OutputFolder *dumpTo = nullptr; ///< a file for each pass; the caller commits it, also after an error
};

/// Files and folders by their paths; "" where there is none. The caller reads and writes them.
struct NamedFiles {
  std::string plan, dump;                            ///< folders that are written
  std::string deepSpeedConfig, patterns, parameters; ///< files that say options
  bool movesAside = false;                           ///< what stands in the place of a folder, instead of an error
};

class StoredWeights; // runtime/checkpoint/stored_weights.h

/// Where a plan has its weights: in files of its own, or, as a note of where they lie, in the user's.
enum class WeightsHeld : uint8_t { BySize, Copied, Referenced };

/// What the plan's parameters begin with.
struct WeightsOptions {
  /// Numbers of the model or of files; the model's also count as evidence of which are one, where no exporter says it. Else
  /// random ones.
  bool areGiven = true;
  WeightsHeld held = WeightsHeld::BySize;
  /// By size, larger ones are not copied, if they lie in files as they are.
  int64_t mostCopiedBytes = int64_t(1) << 30;
  int64_t seed = 0; ///< of the random ones
  /// Files that fill the parameters, instead of the model's numbers; empty: none.
  std::string path;
  WeightLayout layout = WeightLayout::FromNames;
  std::string ignored; ///< a regular expression: names of tensors that may be no parameter of the graph; empty: none
  /// What the path names, opened by readOptionFiles(). Null while a plan's graph is made again, which needs frozen
  /// parameters alone.
  std::shared_ptr<const StoredWeights> stored = nullptr;
};

struct CompileRow; // passes/options/compile_row.h

enum class SaidBy : uint8_t { DeepSpeedConfig, CommandLine };

/// That an option was given, and by whom. An option that nobody gave has its default.
struct SaidOption {
  const CompileRow *option;
  SaidBy by;
  std::string where; ///< as messages call it: "--lr", or "'optimizer' of --ds-config"
  OptionValue value;
};

struct CompileOptions : ProgramOptions {
  std::string model;
  ImportOptions import;
  ParameterOverrides parameters;
  llvm::StringMap<std::string> inputRoles;
  LossOptions loss;
  bool retie = true, recognise = true;
  WeightsOptions weights;
  ShardMode shard = ShardMode::Auto;
  PartitionRules rules;
  bool sequenceParallel = false;
  Recompute recompute = Recompute::None;
  StepOptions step;
  MemoryOptions memory;
  std::optional<DType> dtype;    ///< of parameters and activations: F32, BF16 or F16; none: as the model's own
  std::set<std::string> skipped; ///< optional passes that are left out, by name
  LookInto look;
  NamedFiles files;
  std::vector<SaidOption> said;   ///< flags in the order of the rows, then what the configuration says
  std::vector<std::string> notes; ///< what a configuration leaves open and who decides it, a line each
};

} // namespace autotp
