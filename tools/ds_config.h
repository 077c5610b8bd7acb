/// \file Reads DeepSpeed's JSON configuration into the compiler's options.
#pragma once

#include "passes/pipeline.h"

namespace autotp {

/// How optimizerSaidBy calls the configuration's optimizer.
constexpr const char *kConfiguredOptimizer = "'optimizer' of --ds-config";

/// Sets what `path` says and leaves everything else. Honoured: train_batch_size, train_micro_batch_size_per_gpu,
/// gradient_accumulation_steps, data_parallel_size, gradient_clipping, zero_optimization {stage, reduce_bucket_size},
/// tensor_parallel {autotp_size, partition_config}, optimizer {type: AdamW, Adam,
/// SGD or Adagrad, params}, and what is switched off. What says something of the optimizer is
/// listed in options.optimizerSaidBy; its own defaults are DeepSpeed's.
/// Errors: a key that is not honoured, by its name; sizes that contradict each other.
llvm::Error readDeepSpeedConfig(llvm::StringRef path, CompileOptions &options);

/// The partition_config of a file, see passes/shard/partition_rules.h.
llvm::Error readPatterns(llvm::StringRef path, CompileOptions &options);

} // namespace autotp
