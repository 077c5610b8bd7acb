#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/key_reader.h"
#include "passes/options/option_rows.h"
#include "passes/shard/partition_rules.h"

namespace autotp {
namespace {

using llvm::json::Value;

constexpr llvm::StringLiteral kPresets[] = {"llama", "bloom", "chatglm", "mixtral", "deepseek_v2", "qwen2", "phi3"};

void readTensorParallel(KeyReader &r) {
  constexpr llvm::StringLiteral kSize = "tensor_parallel.autotp_size", kPreset = "tensor_parallel.preset_model",
                                kRules = "tensor_parallel.partition_config";
  const Value *size = r.keys.find(kSize);
  if (size && size->getAsInteger() == int64_t(0))
    r.keys.take(kSize); // DeepSpeed's word for none
  else
    r.take(optionNamed("tp"), kSize);
  if (const Value *preset = r.keys.take(kPreset); preset && !preset->getAsNull()) {
    if (!llvm::is_contained(kPresets, preset->getAsString().getValueOr("")))
      r.keys.wrong(kPreset, "is none of llama, bloom, chatglm, mixtral, deepseek_v2, qwen2 and phi3",
                   "remove it: which axes are sharded is found from the graph");
    else
      r.tell(
          ("preset_model: the axes of " + *preset->getAsString() + " are found from the graph, as of any model").str());
  }
  const Value *config = r.keys.take(kRules);
  if (!config || config->getAsNull()) return;
  auto rules = readPartitionRules(*config);
  if (!rules) return r.keys.wrong(rules.takeError());
  r.o.rules = std::move(*rules);
}

void readZero(KeyReader &r) {
  constexpr llvm::StringLiteral kSection = "zero_optimization", kBucket = "zero_optimization.reduce_bucket_size";
  const CompileRow &stage = optionNamed("zero"), &bucket = optionNamed("bucket-mb");
  if (const Value *isOn = r.keys.take(kSection))
    r.say(stage, kSection, int64_t(*isOn->getAsBoolean()));
  else
    r.take(stage, "zero_optimization.stage");
  const std::optional<int64_t> elements = r.number(kBucket, 0, int64_t(1e12), bucket.flag);
  if (!elements || r.isFlagged(bucket.flag)) return;
  r.o.step.bucketBytes = std::max<int64_t>(*elements, 1) * int64_t(sizeof(float));
  r.note(bucket, kBucket);
}

/// DeepSpeed's keys say how a model's own checkpoints are kept; here they ask for some.
void readActivations(KeyReader &r) {
  constexpr llvm::StringLiteral kPart = "activation_checkpointing.partition_activations",
                                kNumber = "activation_checkpointing.number_checkpoints";
  const CompileRow &recompute = optionNamed("recompute");
  const bool isAsked = r.isTrue(kPart, false, recompute.flag);
  const Value *number = r.keys.take(kNumber);
  const bool isCounted = number && !number->getAsNull();
  if (isCounted && !number->getAsInteger()) r.keys.wrong(kNumber, "is no number", "say how many, or remove it");
  if (!isAsked && !isCounted) return;
  r.say(recompute, isAsked ? kPart : kNumber, int64_t(Recompute::Layer));
  if (!r.isFlagged(recompute.flag)) r.tell("activation_checkpointing: --recompute layer, which changes no number");
}

} // namespace

void readRanks(KeyReader &reader) {
  readTensorParallel(reader);
  readZero(reader);
  readActivations(reader);
}

} // namespace autotp
