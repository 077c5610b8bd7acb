/// \file What the user asks of a compile.
#pragma once

#include "compiler/onnx/import.h"
#include "passes/emit/plan_memory.h"
#include "passes/import/bind_loss.h"
#include "passes/import/classify_parameters.h"
#include "passes/shard/choose_axes.h"
#include "passes/train/build_steps.h"
#include "passes/train/recompute.h"
#include "runtime/base/output_folder.h"

#include "llvm/Support/raw_ostream.h"

#include <set>

namespace autotp {

/// What of the compiler's own work is shown, and where it ends.
struct LookInto {
  std::string printAfter; ///< a pass, or "all"
  std::string stopAfter;  ///< a pass; empty: none
  llvm::raw_ostream *printTo = nullptr;
  OutputFolder *dumpTo = nullptr; ///< a file for each pass; the caller commits it, also after an error
};

struct CompileOptions {
  std::string model;
  ImportOptions import;
  ParameterOverrides parameters;
  llvm::StringMap<std::string> inputRoles;
  LossOptions loss;
  bool retie = true, recognise = true;
  bool tiesByContents = true; ///< where no exporter says what is one: the contents of the file count
  ShardMode shard = ShardMode::Auto;
  PartitionRules rules;
  bool sequenceParallel = false;
  Recompute recompute = Recompute::None;
  StepOptions step;
  std::vector<std::string> optimizerSaidBy; ///< flags that say something of the optimizer, for messages
  MemoryOptions memory;
  std::optional<DType> dtype;    ///< of parameters and activations: F32, BF16 or F16; none: as the model's own
  std::set<std::string> skipped; ///< optional passes that are left out, by name
  LookInto look;
};

} // namespace autotp
