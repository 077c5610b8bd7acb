// passes/options/deepspeed/technical_keys.cpp: communication, what is printed and written, and techniques that this program
// does not have.
#include "passes/options/deepspeed/known_keys.h"

namespace autotp {
namespace {

using enum KeyVerdict;

constexpr llvm::StringLiteral kSums = "sums over ranks are those of fp32",
                              kLogged = "autotp-run prints each step, and --log FILE writes it",
                              kTimes = "--log FILE of autotp-run has the time of each step",
                              kTensorBoard = "autotp-run --tensorboard FOLDER writes it",
                              kFlops = "--log FILE of autotp-run has the operations a second of each step",
                              kOwnChoice = "sizes are chosen by whoever compiles", kNoOffload = "nothing is offloaded",
                              kOwnCheckpoints = "autotp-run --save writes checkpoints",
                              kCompiled = "a plan is compiled anyway", kRemove = "remove the section, or say false";

constexpr KnownKey kRows[] = {
    {"",
     "communication_data_type seq_parallel_communication_data_type prescale_gradients gradient_predivide_factor "
     "sparse_gradients disable_allgather",
     Harmless, kSums},
    {"", "gradient_allreduce_op", Refused, "gradients are those of the mean over the batch", "remove it, or say mean",
     "\"mean\""},
    {"", "steps_per_print dump_state logging_level log_level", Harmless, kLogged},
    {"", "wall_clock_breakdown memory_breakdown", Harmless, kTimes},
    {"", "dataloader_drop_last", Harmless, "every step has a whole batch"},
    {"", "vocabulary_size graph_harvesting", Harmless, kCompiled},
    {"tensorboard", "enabled output_path job_name", Harmless, kTensorBoard},
    {"csv_monitor", "enabled output_path job_name", Harmless, kLogged},
    {"wandb", "enabled group team project", Harmless, kLogged},
    {"comet", "enabled samples_log_interval project workspace api_key experiment_name experiment_key online mode",
     Harmless, kLogged},
    {"flops_profiler", "enabled recompute_fwd_factor profile_step module_depth top_modules detailed output_file",
     Harmless, kFlops},
    {"comms_logger", "enabled verbose prof_all debug prof_ops", Harmless,
     "the summary lists the collectives of a plan"},
    {"timers.throughput", "enabled synchronized", Harmless, kTimes},
    {"checkpoint",
     "tag_validation load_universal use_node_local_storage parallel_write checkpoint_serialization writer async",
     Harmless, kOwnCheckpoints},
    {"nebula",
     "enabled persistent_storage_path persistent_time_interval num_of_version_in_retention enable_nebula_load "
     "load_path",
     Harmless, kOwnCheckpoints},
    {"", "datastates_ckpt", Harmless, kOwnCheckpoints},
    {"compile",
     "enabled disable backend kwargs deepcompile free_activation free_activation_threshold double_buffer "
     "symmetric_memory "
     "debug_log sync_before_reduce sync_after_reduce sync_before_allgather sync_after_allgather "
     "keep_int_input_tensors keep_all_input_tensors passes offload_activation_pin_memory",
     Harmless, kCompiled},
    {"compile", "offload_activation offload_opt_states offload_parameters", Refused, kNoOffload,
     "remove it; --recompute layer saves memory", "false"},

    {"", "sparse_attention", Refused, "attention is what the model's graph says, and dense",
     "remove it; a sparse model is exported with its mask"},
    {"sparse_attention",
     "mode block different_layout_per_head num_local_blocks num_global_blocks attention horizontal_global_attention "
     "num_different_global_patterns num_random_blocks local_window_blocks global_block_indices "
     "global_block_end_indices num_sliding_window_blocks",
     Part, "of sparse_attention"},
    {"elasticity", "enabled", Refused, "a plan is for one number of ranks", kRemove, "false"},
    {"elasticity",
     "max_train_batch_size micro_batch_sizes min_gpus max_gpus min_time version ignore_non_elastic_batch_info "
     "prefer_larger_batch model_parallel_size num_gpus_per_node",
     Part, "of elasticity.enabled"},
    {"autotuning", "enabled", Refused, kOwnChoice, "remove the section, and say the sizes", "false"},
    {"autotuning",
     "results_dir exps_dir overwrite metric metric_path start_profile_step end_profile_step fast max_train_batch_size "
     "min_train_batch_size max_train_micro_batch_size_per_gpu min_train_micro_batch_size_per_gpu mp_size "
     "num_tuning_micro_batch_sizes tuner_type tuner_early_stopping tuner_num_trials arg_mappings model_info "
     "model_info_path mbs_range_only",
     Part, "of autotuning.enabled"},
    {"data_efficiency", "enabled", Refused, "rows are trained in their order, with all of their tokens", kRemove,
     "false"},
    {"data_efficiency", "seed data_sampling data_routing", Part, "of data_efficiency.enabled"},
    {"curriculum_learning", "enabled", Refused, "rows are trained in their order, with all of their tokens", kRemove,
     "false"},
    {"curriculum_learning", "curriculum_type min_difficulty max_difficulty schedule_type schedule_config", Part,
     "of curriculum_learning.enabled"},
    {"progressive_layer_drop", "enabled", Refused, "every layer is part of every step", kRemove, "false"},
    {"progressive_layer_drop", "theta gamma", Part, "of progressive_layer_drop.enabled"},
    {"eigenvalue", "enabled", Refused, "no eigenvalues are computed", kRemove, "false"},
    {"eigenvalue", "verbose max_iter tol stability gas_boundary_resolution layer_name layer_num", Part,
     "of eigenvalue.enabled"},
    {"quantize_training", "enabled", Refused, "nothing is quantized", kRemove, "false"},
    {"quantize_training",
     "quantize_verbose quantizer_kernel quantize-algo quantize_type quantize_bits quantize_schedule quantize_groups "
     "fp16_mixed_quantize eigenvalue",
     Part, "of quantize_training.enabled"},
    {"", "compression_training weight_quantization", Refused, "nothing is compressed or quantized",
     "remove the section", "{}"},
    {"hybrid_engine", "enabled", Refused, "there is no inference between steps", kRemove, "false"},
    {"hybrid_engine",
     "max_out_tokens inference_tp_size release_inference_cache pin_parameters tp_gather_partition_size "
     "enable_cuda_graph",
     Part, "of hybrid_engine.enabled"},
};

} // namespace

llvm::ArrayRef<KnownKey> technicalKeys() { return kRows; }

} // namespace autotp
