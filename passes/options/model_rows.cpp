#include "passes/options/option_rows.h"

#include "passes/options/compile_row.h"
#include "runtime/base/bounded_regex.h"

namespace autotp {
namespace {

/// How --weights spells what the plan's parameters begin with.
constexpr llvm::StringLiteral kBySize = "auto", kCopied = "copy", kReferenced = "reference", kFresh = "none";

OptionValue weightsText(const CompileOptions &o) {
  const WeightsOptions &w = o.weights;
  if (!w.areGiven) return kFresh.str() + (w.seed ? ":" + std::to_string(w.seed) : "");
  if (w.held == WeightsHeld::BySize) return w.path.empty() ? kBySize.str() : w.path;
  return (w.held == WeightsHeld::Copied ? kCopied : kReferenced).str() + (w.path.empty() ? "" : ":" + w.path);
}

/// The seed of "none" or "none:SEED"; nullopt: another text.
std::optional<int64_t> seedOf(llvm::StringRef text) {
  int64_t seed = 0;
  if (!text.consume_front(kFresh)) return std::nullopt;
  if (!text.empty() && (!text.consume_front(":") || text.getAsInteger(10, seed) || seed < 0)) return std::nullopt;
  return seed;
}

void setWeights(CompileOptions &o, const OptionValue &value) {
  const std::string &text = std::get<std::string>(value);
  const std::optional<int64_t> seed = seedOf(text);
  o.weights.areGiven = !seed;
  o.weights.seed = seed.value_or(0);
  const auto [word, path] = llvm::StringRef(text).split(':');
  o.weights.held = word == kCopied       ? WeightsHeld::Copied
                   : word == kReferenced ? WeightsHeld::Referenced
                                         : WeightsHeld::BySize;
  const bool isWord = seed || text == kBySize;
  o.weights.path = isWord ? "" : o.weights.held == WeightsHeld::BySize ? text : path.str();
}

OptionValue dtypeNumber(const CompileOptions &o) { return o.dtype ? int64_t(*o.dtype) : 0; }

void setDType(CompileOptions &o, const OptionValue &value) {
  const int64_t number = std::get<int64_t>(value);
  o.dtype = number ? std::optional(DType(number)) : std::nullopt;
}

/// How the loss scale of fp16 moves.
template <auto kMember> constexpr OptionMember ofScale() {
  return at<&CompileOptions::step, &StepOptions::lossScale, kMember>();
}

constexpr double kMostOverflows = 1000000; // which f32 counts exactly

constexpr OptionWord kDTypes[] = {{"", 0, ""}, // as the model's own
                                  {"fp32", int64_t(DType::F32), "32 bits", "f32"},
                                  {"bf16", int64_t(DType::BF16), "bfloat16", "bf16"},
                                  {"fp16", int64_t(DType::F16), "half precision, with a dynamic loss scale", "f16"}};

bool isRegex(llvm::StringRef text) { return faultOfRegex(text).empty(); }

constexpr OptionWord kLayouts[] = {
    {"", int64_t(WeightLayout::FromNames), ""},
    {"torch", int64_t(WeightLayout::Torch), "as PyTorch and Hugging Face have them"},
    {"graph", int64_t(WeightLayout::Graph), "as the graph has them, which an exporter may have transposed"}};

constexpr OptionWord kLosses[] = {
    {"none", int64_t(LossMade::None), ""},
    {"cross-entropy", int64_t(LossMade::CrossEntropy), "the label of each row of the logits"},
    {"next-token", int64_t(LossMade::NextToken), "the label of a place is the next place's: labels are the tokens"}};

constexpr CompileRow kRows[] = {
    {{.flag = "micro-batch",
      .placeholder = "N",
      .member = at<&CompileOptions::import, &ImportOptions::microBatch>(),
      .range = kNotNegative,
      .help = "samples of one dp rank and micro-step, for a dynamic batch",
      .detail = "A static batch is bound smaller through its logical axis",
      .defaultText = "1"},
     {.key = "micro_batch", .deepSpeed = "train_micro_batch_size_per_gpu", .changes = Changes::Graph}},
    {{.flag = "shape",
      .placeholder = "NAME=N|INPUT:AXIS=N",
      .member = at<&CompileOptions::import, &ImportOptions::shapes>(),
      .range = {1, double(UINT32_MAX)},
      .help = "size of a dynamic dimension, by its name, or by its input and place, counted from 0",
      .detail = "One without a name that leads an input is the batch"},
     {.key = "shapes", .changes = Changes::Graph}},
    {{.flag = "import-mb",
      .placeholder = "MB",
      .member = at<&CompileOptions::import, &ImportOptions::budgetMegabytes>(),
      .range = kNotNegative,
      .help = "memory for constants and nodes that the model's import makes and folds, and 2 operations for each byte",
      .defaultText = "twice the model's file and 1 GiB"},
     {.key = "import_mb", .changes = Changes::Graph}},
    {{.flag = "input",
      .placeholder = "NAME=ROLE",
      .member = at<&CompileOptions::inputRoles>(),
      .help = "what an input means: tokens, labels, next-labels, ones, positions or data"},
     {.key = "inputs", .changes = Changes::Graph}},
    {{.flag = "loss-output",
      .placeholder = "NAME",
      .member = at<&CompileOptions::loss, &LossOptions::output>(),
      .help = "the loss, where several outputs are scalars"},
     {.key = "loss_output", .changes = Changes::Graph, .traits = kOfTrainingGraph}},
    {{.flag = "loss",
      .member = at<&CompileOptions::loss, &LossOptions::made>(),
      .words = kLosses,
      .help = "make the loss of a model that ends with logits, over a new input 'labels' (-100 is ignored)"},
     {.key = "loss", .changes = Changes::Graph, .traits = kOfTrainingGraph}},
    {{.flag = "logits",
      .placeholder = "NAME",
      .member = at<&CompileOptions::loss, &LossOptions::logits>(),
      .help = "the logits, where several outputs could be; with --loss"},
     {.key = "logits", .changes = Changes::Graph}},
    {{.flag = "weights",
      .placeholder = "auto|copy|reference|none[:seed]|[copy:|reference:]PATH",
      .member = accessedBy<weightsText, setWeights>(OptionKind::Text),
      .isOfItsForm =
          [](llvm::StringRef text) {
            return !text.empty() && text != "copy:" && text != "reference:" &&
                   (!text.startswith("none:") || seedOf(text));
          },
      .help =
          "the model's weights, or those of PATH by their names: a safetensors file, the index or folder of sharded "
          "ones, or a checkpoint; none[:seed]: random ones. copy: the plan has a copy; reference: it copies nothing, "
          "ranks read the files when a run begins; else, and with auto: copy up to 1 GiB, reference what is more",
      .detail = "See `docs/guide/weights.md`"},
     {.key = "ties_by_contents",
      .recorded = at<&CompileOptions::weights, &WeightsOptions::areGiven>(),
      .changes = Changes::Graph}},
    {{.member = at<&CompileOptions::weights, &WeightsOptions::path>(),
      .help = "the files that --weights names, which frozen parameters are read from"},
     {.key = "weights_path", .changes = Changes::Graph, .traits = kLeftOutIfEmpty}},
    {{.flag = "weights-layout",
      .member = at<&CompileOptions::weights, &WeightsOptions::layout>(),
      .words = kLayouts,
      .help = "how the files of --weights hold matrices, where their names do not tell",
      .defaultText = "as the names tell"},
     {.key = "weights_layout", .changes = Changes::Graph}},
    {{.flag = "weights-ignore",
      .placeholder = "REGEX",
      .member = at<&CompileOptions::weights, &WeightsOptions::ignored>(),
      .isOfItsForm = isRegex,
      .help = "tensors of the files of --weights that may have no place in the graph, by their names",
      .detail = "So `--weights-ignore pooler` fills a model of masked tokens from a whole BERT"},
     {.key = "weights_ignore", .changes = Changes::Graph, .traits = kLeftOutIfEmpty}},
    {{.flag = "dtype",
      .member = accessedBy<dtypeNumber, setDType>(OptionKind::Word),
      .words = kDTypes,
      .help = "parameters and activations; master weights, norms, softmax and loss are fp32",
      .defaultText = "as the model's own"},
     {.key = "dtype", .deepSpeed = "bf16.enabled, fp16.enabled", .changes = Changes::Graph, .traits = kConverted}},
    {{.flag = "loss-scale",
      .placeholder = "X",
      .member = ofScale<&LossScaleOptions::initial>(),
      .range = kNotNegative,
      .help = "loss scale of fp16 before the first step; DeepSpeed gives its power of 2"},
     {.key = "loss_scale",
      .deepSpeed = "fp16.initial_scale_power, fp16.loss_scale",
      .changes = Changes::Graph,
      .traits = kConverted}},
    {{.flag = "loss-scale-window",
      .placeholder = "N",
      .member = ofScale<&LossScaleOptions::window>(),
      .range = {1, kMostSteps},
      .help = "good steps of fp16 after which the loss scale doubles"},
     {.key = "loss_scale_window", .deepSpeed = "fp16.loss_scale_window", .changes = Changes::Graph}},
    {{.flag = "loss-scale-hysteresis",
      .placeholder = "N",
      .member = ofScale<&LossScaleOptions::hysteresis>(),
      .range = {1, kMostOverflows},
      .help = "overflows of fp16 of which the last halves the loss scale; a doubling gives them back"},
     {.key = "loss_scale_hysteresis", .deepSpeed = "fp16.hysteresis", .changes = Changes::Graph}},
    {{.flag = "min-loss-scale",
      .placeholder = "X",
      .member = ofScale<&LossScaleOptions::minimum>(),
      .range = {1},
      .help = "loss scale of fp16 that no overflow halves"},
     {.key = "min_loss_scale", .deepSpeed = "fp16.min_loss_scale", .changes = Changes::Graph}},
    {{.member = ofScale<&LossScaleOptions::refills>(),
      .help = "a good step gives the overflows of --loss-scale-hysteresis back, in DeepSpeed"},
     {.key = "loss_scale_refills", .deepSpeed = "fp16.consecutive_hysteresis", .changes = Changes::Graph}},
    {{.member = ofScale<&LossScaleOptions::isLate>(),
      .help = "the first good step, and that after an overflow, do not count for a doubling, in DeepSpeed"},
     {.key = "loss_scale_is_late", .changes = Changes::Graph}},
};

} // namespace

OptionSection modelOptions() { return {"The model", kRows}; }

} // namespace autotp
