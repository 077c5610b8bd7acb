#include "passes/options/option_rows.h"

#include "passes/options/compile_row.h"

namespace autotp {
namespace {

constexpr OptionRange kRanks{1, 4096};
constexpr double kLargestBucketMb = double(int64_t(1) << 40); // its bytes are counted in 64 bits

OptionValue bucketMb(const CompileOptions &o) { return o.step.bucketBytes >> 20; }
void setBucketMb(CompileOptions &o, const OptionValue &value) { o.step.bucketBytes = std::get<int64_t>(value) << 20; }

constexpr OptionWord kShards[] = {{"auto", int64_t(ShardMode::Auto), "weigh traffic against savings"},
                                  {"all", int64_t(ShardMode::All), "take every axis that divides parameters"}};

constexpr OptionWord kRecomputed[] = {
    {"none", int64_t(Recompute::None), "nothing"},
    {"attention", int64_t(Recompute::Attention), "scores and their softmax, where attention is not fused"},
    {"layer", int64_t(Recompute::Layer), "all but what passes from layer to layer and what was reduced"}};

constexpr OptionWord kDevices[] = {{"cpu", int64_t(DeviceKind::Cpu), "the host"},
                                   {"cuda", int64_t(DeviceKind::Cuda), "NVIDIA GPUs, one or more ranks on each"}};

constexpr CompileRow kRows[] = {
    {{.flag = "tp",
      .placeholder = "N",
      .member = at<&CompileOptions::step, &StepOptions::tp>(),
      .range = kRanks,
      .help = "ranks of tensor parallelism",
      .detail = "rank = dp_rank * tp + tp_rank"},
     {.field = &Manifest::tp, .deepSpeed = "tensor_parallel.autotp_size", .changes = Changes::Graph}},
    {{.flag = "dp",
      .placeholder = "N",
      .member = at<&CompileOptions::step, &StepOptions::dp>(),
      .range = kRanks,
      .help = "ranks of data parallelism"},
     {.field = &Manifest::dp, .deepSpeed = "data_parallel_size", .changes = Changes::Graph}},
    {{.flag = "zero",
      .placeholder = "N",
      .member = at<&CompileOptions::step, &StepOptions::zero>(),
      .range = {0, 3},
      .help = "ZeRO stage 0, 1, 2 or 3",
      .detail = "Optimizer states (1), gradients (2) and parameters (3) lie in slices over dp"},
     {.field = &Manifest::zero, .deepSpeed = "zero_optimization.stage", .changes = Changes::Plan}},
    {{.flag = "grad-accum",
      .placeholder = "N",
      .member = at<&CompileOptions::step, &StepOptions::gradAccum>(),
      .range = {1, double(INT32_MAX)},
      .help = "micro-steps of a step"},
     {.field = &Manifest::gradAccum, .deepSpeed = "gradient_accumulation_steps", .changes = Changes::Graph}},
    {{.flag = "shard", .member = at<&CompileOptions::shard>(), .words = kShards, .help = "which axes tp shards"},
     {.changes = Changes::Plan}},
    {{.flag = "patterns",
      .placeholder = "FILE",
      .member = at<&CompileOptions::files, &NamedFiles::patterns>(),
      .help = "rules that say which parameters are sharded: DeepSpeed's partition_config, as JSON",
      .detail = "See `docs/custom-patterns.md`"},
     {.deepSpeed = "tensor_parallel.partition_config", .changes = Changes::Plan, .traits = kConverted}},
    {{.flag = "sequence-parallel",
      .member = at<&CompileOptions::sequenceParallel>(),
      .help = "norms and residual sums hold a part of the sequence each: reduce-scatter and all-gather over tp"},
     {.changes = Changes::Plan}},
    {{.flag = "recompute",
      .member = at<&CompileOptions::recompute>(),
      .words = kRecomputed,
      .help = "what the backward computes again instead of keeping it"},
     {.deepSpeed = "activation_checkpointing.partition_activations, activation_checkpointing.number_checkpoints",
      .changes = Changes::Plan,
      .traits = kConverted}},
    {{.flag = "bucket-mb",
      .placeholder = "N",
      .member = accessedBy<bucketMb, setBucketMb>(OptionKind::Integer),
      .range = {1, kLargestBucketMb},
      .help = "size of a dp bucket",
      .detail = "At ZeRO 3 none is larger than the largest parameter"},
     {.deepSpeed = "zero_optimization.reduce_bucket_size", .changes = Changes::Plan, .traits = kConverted}},
    {{.flag = "device",
      .member = at<&CompileOptions::memory, &MemoryOptions::device>(),
      .words = kDevices,
      .help = "what the plan runs on",
      .detail = "Memory and workspaces are planned for it"},
     {.field = &Manifest::device, .changes = Changes::Plan}},
};

} // namespace

OptionSection meshOptions() { return {"Ranks and what they share out", kRows}; }

} // namespace autotp
