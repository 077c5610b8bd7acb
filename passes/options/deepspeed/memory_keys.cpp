// passes/options/deepspeed/memory_keys.cpp: what ranks share out: ZeRO, offload, activation checkpointing, and tensor
// parallelism.
#include "passes/options/deepspeed/known_keys.h"

namespace autotp {
namespace {

using enum KeyVerdict;

constexpr llvm::StringLiteral kZero = "zero_optimization", kActivations = "activation_checkpointing",
                              kTp = "tensor_parallel";
constexpr llvm::StringLiteral kNoOffload = "nothing is offloaded: states and parameters stay on their device",
                              kInsteadOfOffload =
                                  "remove it; a higher ZeRO stage, a larger dp or --recompute layer saves memory",
                              kPlanned = "communication and memory are planned by the compiler",
                              kOfCheckpoints = "a checkpoint of this program is whole, and any mesh may read it";

constexpr KnownKey kRows[] = {
    {.section = kZero,
     .names = "stage",
     .verdict = Honoured,
     .why = "ZeRO stage; true and false in the place of the section are 1 and 0",
     .absent = "0"},
    {kZero, "reduce_bucket_size", Honoured,
     "elements of a bucket of gradients, as 4 bytes each; absent or \"auto\" it is --bucket-mb, which changes no "
     "number"},
    {kZero,
     "allgather_bucket_size allgather_partitions overlap_comm reduce_scatter contiguous_gradients "
     "use_multi_rank_bucket_allreduce round_robin_gradients grad_hooks legacy_stage1 sub_group_size",
     Harmless, kPlanned},
    {kZero,
     "stage3_prefetch_bucket_size prefetch_bucket_size stage3_param_persistence_threshold param_persistence_threshold "
     "stage3_model_persistence_threshold model_persistence_threshold stage3_max_live_parameters max_live_parameters "
     "stage3_max_reuse_distance max_reuse_distance stage3_module_granularity_threshold module_granularity_threshold "
     "stage3_use_all_reduce_for_fetch_params use_all_reduce_for_fetch_params stage3_allgather_sequential "
     "allgather_sequential memory_efficient_linear override_module_apply leaf_module",
     Harmless, kPlanned},
    {kZero, "zero_hpz_partition_size mics_shard_size mics_hierarchical_params_gather", Harmless, kPlanned},
    {kZero,
     "stage3_gather_16bit_weights_on_model_save gather_16bit_weights_on_model_save "
     "stage3_gather_fp16_weights_on_model_save load_from_fp32_weights pipeline_loading_checkpoint "
     "ignore_missing_optim_state elastic_checkpoint",
     Harmless, kOfCheckpoints},
    {kZero, "ignore_unused_parameters", Harmless, "what is trained is known when the plan is made"},
    {kZero, "log_trace_cache_warnings enable_sanity_checks", Harmless, "there is no trace that could be wrong"},
    {kZero, "save_muon_momentum_buffer_in_memory", Harmless, "Muon is not here"},
    {kZero, "zero_quantized_weights zero_quantized_nontrainable_weights zero_quantized_gradients", Refused,
     "nothing is quantized on its way between ranks", "remove it, or say false", "false"},
    {kZero, "zeropp_loco_param", Refused, "nothing is quantized on its way between ranks", "remove it", "{}"},
    {kZero, "zenflow", Refused, "no update is delayed or offloaded", "remove it", "{}"},
    {kZero, "cpu_offload cpu_offload_param cpu_offload_params", Refused, kNoOffload, kInsteadOfOffload, "false"},
    {kZero, "cpu_offload_use_pin_memory", Part, "of cpu_offload"},
    {"zero_optimization.offload_optimizer", "device", Refused, kNoOffload, kInsteadOfOffload, "\"none\""},
    {"zero_optimization.offload_optimizer",
     "nvme_path buffer_count pin_memory pipeline_read pipeline_write pipeline fast_init ratio super_offload "
     "cpuadam_cores_perc",
     Part, "of offload_optimizer.device"},
    {"zero_optimization.offload_param", "device", Refused, kNoOffload, kInsteadOfOffload, "\"none\""},
    {"zero_optimization.offload_param", "nvme_path buffer_count buffer_size max_in_cpu pin_memory", Part,
     "of offload_param.device"},
    {"", "zero_allow_untested_optimizer zero_force_ds_cpu_optimizer", Harmless,
     "every optimizer here runs at every stage"},
    {"aio", "block_size queue_depth intra_op_parallelism thread_count single_submit overlap_events use_gds", Harmless,
     "only offload reads it"},

    {kActivations, "partition_activations number_checkpoints", Honoured,
     "true, or a number: --recompute layer, the same numbers in less memory"},
    {kActivations, "contiguous_memory_optimization synchronize_checkpoint_boundary profile", Harmless, kPlanned},
    {kActivations, "cpu_checkpointing", Refused, "nothing is offloaded", "remove it; --recompute layer keeps less",
     "false"},

    {kTp, "autotp_size", Honoured, "ranks of tensor parallelism; 0 is none"},
    {kTp, "preset_model", Honoured,
     "llama, bloom, chatglm, mixtral, deepseek_v2, qwen2 or phi3; which axes are sharded is found from the graph "
     "anyway"},
    {kTp, "partition_config", Honoured, "rules, see custom-patterns.md"},
    {kTp, "tp_overlap_comm keep_module_on_host", Harmless, kPlanned},
    {kTp, "dtype", Refused, "bf16.enabled and fp16.enabled say the dtype", "remove it"},
    {kTp, "injection_policy_tuple", Refused, "there is no module into which anything is injected",
     "remove it; partition_config says which parameters are sharded"},
    {kTp, "replace_with_kernel_inject kernel_inject", Refused, "there are no kernels of inference here", "remove it",
     "false"},
    {"tensor_parallel.tp", "tp_size", Refused, "autotp_size is what training reads", "say autotp_size instead", "1"},
    {"tensor_parallel.tp", "tp_grain_size mpu tp_group", Harmless, kPlanned},
    {"", "sequence_parallel_size", Refused, "sequences are not sharded by ranks of their own",
     "remove it; --sequence-parallel shards them over tp", "1"},
    {"", "expert_parallel", Refused, "experts have no ranks of their own", "remove it; tp shards experts",
     "{}|{\"enabled\":false}"},
    {"", "use_data_before_expert_parallelism", Harmless, "experts have no ranks of their own"},
    {"pipeline", "stages", Refused, "there is no pipeline of stages", "remove it; tp and dp share out the work", "1"},
    {"pipeline", "partition seed_layers activation_checkpoint_interval pipe_partitioned grad_partitioned use_reentrant",
     Part, "of pipeline.stages"},
};

} // namespace

llvm::ArrayRef<KnownKey> memoryKeys() { return kRows; }

} // namespace autotp
