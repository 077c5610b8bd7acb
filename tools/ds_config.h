/// \file Reads DeepSpeed's JSON configuration into the compiler's options.
#pragma once

#include "passes/pipeline.h"

namespace autotp {

/// Sets what `path` says and leaves everything else. Honoured: train_batch_size, train_micro_batch_size_per_gpu,
/// gradient_accumulation_steps, data_parallel_size, gradient_clipping, zero_optimization {stage, reduce_bucket_size},
/// tensor_parallel {autotp_size, partition_config}, optimizer {type: AdamW, params}, and what is switched off.
/// Errors: a key that is not honoured, by its name; sizes that contradict each other.
llvm::Error readDeepSpeedConfig(llvm::StringRef path, CompileOptions &options);

/// The partition_config of a file, see passes/shard/partition_rules.h.
llvm::Error readPatterns(llvm::StringRef path, CompileOptions &options);

} // namespace autotp
