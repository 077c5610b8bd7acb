#include "passes/options/option_rows.h"

#include "passes/options/option_row.h"

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

constexpr OptionRow kRows[] = {
    {.flag = "tp",
     .placeholder = "N",
     .member = at<&CompileOptions::step, &StepOptions::tp>(),
     .range = kRanks,
     .field = &Manifest::tp,
     .deepSpeed = "tensor_parallel.autotp_size",
     .changes = Changes::Graph,
     .help = "ranks of tensor parallelism",
     .detail = "rank = dp_rank * tp + tp_rank"},
    {.flag = "dp",
     .placeholder = "N",
     .member = at<&CompileOptions::step, &StepOptions::dp>(),
     .range = kRanks,
     .field = &Manifest::dp,
     .deepSpeed = "data_parallel_size",
     .changes = Changes::Graph,
     .help = "ranks of data parallelism"},
    {.flag = "zero",
     .placeholder = "N",
     .member = at<&CompileOptions::step, &StepOptions::zero>(),
     .range = {0, 3},
     .field = &Manifest::zero,
     .deepSpeed = "zero_optimization.stage",
     .changes = Changes::Plan,
     .help = "ZeRO stage 0, 1, 2 or 3",
     .detail = "Optimizer states (1), gradients (2) and parameters (3) lie in slices over dp"},
    {.flag = "grad-accum",
     .placeholder = "N",
     .member = at<&CompileOptions::step, &StepOptions::gradAccum>(),
     .range = {1, double(INT32_MAX)},
     .field = &Manifest::gradAccum,
     .deepSpeed = "gradient_accumulation_steps",
     .changes = Changes::Graph,
     .help = "micro-steps of a step"},
    {.flag = "shard",
     .member = at<&CompileOptions::shard>(),
     .words = kShards,
     .changes = Changes::Plan,
     .help = "which axes tp shards"},
    {.flag = "patterns",
     .placeholder = "FILE",
     .member = at<&CompileOptions::files, &NamedFiles::patterns>(),
     .deepSpeed = "tensor_parallel.partition_config",
     .changes = Changes::Plan,
     .traits = kConverted,
     .help = "rules that say which parameters are sharded: DeepSpeed's partition_config, as JSON",
     .detail = "See `docs/custom-patterns.md`"},
    {.flag = "sequence-parallel",
     .member = at<&CompileOptions::sequenceParallel>(),
     .changes = Changes::Plan,
     .help = "norms and residual sums hold a part of the sequence each: reduce-scatter and all-gather over tp"},
    {.flag = "recompute",
     .member = at<&CompileOptions::recompute>(),
     .words = kRecomputed,
     .changes = Changes::Plan,
     .help = "what the backward computes again instead of keeping it"},
    {.flag = "bucket-mb",
     .placeholder = "N",
     .member = {OptionKind::Integer, bucketMb, setBucketMb},
     .range = {1, kLargestBucketMb},
     .deepSpeed = "zero_optimization.reduce_bucket_size",
     .changes = Changes::Plan,
     .traits = kConverted,
     .help = "size of a dp bucket",
     .detail = "At ZeRO 3 none is larger than the largest parameter"},
    {.flag = "device",
     .member = at<&CompileOptions::memory, &MemoryOptions::device>(),
     .words = kDevices,
     .field = &Manifest::device,
     .changes = Changes::Plan,
     .help = "what the plan runs on",
     .detail = "Memory and workspaces are planned for it"},
};

} // namespace

OptionSection meshOptions() { return {"Ranks and what they share out", kRows}; }

} // namespace autotp
