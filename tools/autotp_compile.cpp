// autotp-compile: from an ONNX model to a plan for tp * dp ranks.
#include "passes/emit/emit_program.h"
#include "passes/emit/write_plan.h"
#include "passes/pipeline.h"
#include "passes/report/summary.h"
#include "runtime/base/output_file.h"
#include "tools/command_line.h"
#include "tools/ds_config.h"
#include "tools/look_flags.h"
#include "tools/optimizer_flags.h"
#include "tools/parameter_flags.h"

using namespace llvm;
using autotp::problem;

static cl::OptionCategory category("autotp-compile options");
static cl::opt<std::string> model(cl::Positional, cl::desc("MODEL.onnx|ARTIFACTS"), cl::Required, cl::cat(category));
static cl::opt<std::string> output("o",
                                   cl::desc("folder of the plan; one that is there is replaced if autotp-compile wrote "
                                            "all that it holds"),
                                   cl::value_desc("DIR"), cl::cat(category));
static cl::opt<bool>
    force("force", cl::desc("move a folder that -o would not replace aside, to DIR.old-...; nothing is deleted"),
          cl::cat(category));
static cl::opt<int> tp("tp", cl::desc("ranks of tensor parallelism (default 1)"), cl::value_desc("N"), cl::init(1),
                       cl::cat(category));
static cl::opt<int> dp("dp", cl::desc("ranks of data parallelism (default 1)"), cl::value_desc("N"), cl::init(1),
                       cl::cat(category));
static cl::opt<int> zero("zero", cl::desc("ZeRO stage 0, 1, 2 or 3 (default 2)"), cl::value_desc("N"), cl::init(2),
                         cl::cat(category));
static cl::opt<int64_t> microBatch("micro-batch",
                                   cl::desc("samples of one dp rank and micro-step, for a dynamic batch (default 1)"),
                                   cl::value_desc("N"), cl::init(0), cl::cat(category));
static cl::opt<int> gradAccum("grad-accum", cl::desc("micro-steps of a step (default 1)"), cl::value_desc("N"),
                              cl::init(1), cl::cat(category));
static cl::list<std::string>
    shapes("shape", cl::desc("size of a dynamic dimension, by its name, or by its input and place, counted from 0"),
           cl::value_desc("NAME=N|INPUT:AXIS=N"), cl::cat(category));
static autotp::OptimizerFlags optimizer(category);
static cl::opt<std::string>
    shard("shard",
          cl::desc("auto (default) weighs traffic against savings; all takes every axis that divides parameters"),
          cl::value_desc("auto|all"), cl::init("auto"), cl::cat(category));
using autotp::Recompute;
static cl::opt<Recompute> recompute(
    "recompute", cl::desc("what the backward computes again instead of keeping it:"), cl::init(Recompute::None),
    cl::cat(category),
    cl::values(clEnumValN(Recompute::None, "none", "nothing (default)"),
               clEnumValN(Recompute::Attention, "attention", "scores and their softmax, where attention is not fused"),
               clEnumValN(Recompute::Layer, "layer", "all but what passes from layer to layer and what was reduced")));
static cl::opt<bool> sequenceParallel(
    "sequence-parallel",
    cl::desc("norms and residual sums hold a part of the sequence each: reduce-scatter and all-gather over tp"),
    cl::cat(category));
static cl::opt<int64_t> bucketMb("bucket-mb", cl::desc("size of a dp bucket (default 25)"), cl::value_desc("N"),
                                 cl::init(25), cl::cat(category));
static cl::opt<autotp::DeviceKind>
    device("device", cl::desc("what the plan runs on:"), cl::init(autotp::DeviceKind::Cpu), cl::cat(category),
           cl::values(clEnumValN(autotp::DeviceKind::Cpu, "cpu", "the host (default)"),
                      clEnumValN(autotp::DeviceKind::Cuda, "cuda", "NVIDIA GPUs, one or more ranks on each")));
static cl::opt<autotp::DType> dtype(
    "dtype",
    cl::desc("parameters and activations (default: as the model's own); master weights, norms, softmax "
             "and loss are fp32:"),
    cl::init(autotp::DType::F32), cl::cat(category),
    cl::values(clEnumValN(autotp::DType::F32, "fp32", "32 bits"), clEnumValN(autotp::DType::BF16, "bf16", "bfloat16"),
               clEnumValN(autotp::DType::F16, "fp16", "half precision, with a dynamic loss scale")));
static cl::opt<std::string> lossOutput("loss-output", cl::desc("the loss, where several outputs are scalars"),
                                       cl::value_desc("NAME"), cl::cat(category));
static cl::opt<autotp::LossMade> madeLoss(
    "loss", cl::desc("make the loss of a model that ends with logits, over a new input 'labels' (-100 is ignored):"),
    cl::init(autotp::LossMade::None), cl::cat(category),
    cl::values(clEnumValN(autotp::LossMade::CrossEntropy, "cross-entropy", "the label of each row of the logits"),
               clEnumValN(autotp::LossMade::NextToken, "next-token",
                          "the label of a place is the next place's: labels are the tokens")));
static cl::opt<std::string> logits("logits", cl::desc("the logits, where several outputs could be; with --loss"),
                                   cl::value_desc("NAME"), cl::cat(category));
static cl::list<std::string>
    inputs("input", cl::desc("what an input means: tokens, labels, next-labels, ones, positions or data"),
           cl::value_desc("NAME=ROLE"), cl::cat(category));
static autotp::ParameterFlags parameters(category);
static cl::opt<std::string> explain("explain",
                                    cl::desc("parameters: list what each initializer is, and by which evidence"),
                                    cl::value_desc("parameters"), cl::cat(category));
static cl::opt<std::string>
    weights("weights", cl::desc("copy (default) the model's weights into the plan, or none[:seed]: random ones"),
            cl::value_desc("copy|none[:seed]"), cl::init("copy"), cl::cat(category));
static cl::opt<std::string>
    dsConfig("ds-config",
             cl::desc("take the options that DeepSpeed's configuration gives; a flag given as well overrules it"),
             cl::value_desc("FILE"), cl::cat(category));
static cl::opt<std::string>
    patterns("patterns", cl::desc("rules that say which parameters are sharded: DeepSpeed's partition_config, as JSON"),
             cl::value_desc("FILE"), cl::cat(category));
static autotp::LookFlags look(category);

static Error keyValues(StringRef flag, const cl::list<std::string> &list,
                       function_ref<bool(StringRef, StringRef)> take) {
  for (StringRef item : list) {
    auto [name, value] = item.rsplit('=');
    if (name.empty() || value.empty() || !take(name, value))
      return problem(flag, "'" + autotp::escaped(item) + "' is not of its form", "see --help");
  }
  return Error::success();
}

static void readSteps(autotp::CompileOptions &o) {
  o.step.tp = tp;
  o.step.dp = dp;
  o.step.zero = zero;
  o.step.gradAccum = gradAccum;
  o.step.bucketBytes = bucketMb << 20;
  o.import.microBatch = microBatch;
}

/// What --ds-config, --parameters and --patterns say: given flags overrule the first, others keep its word.
static Error readFiles(autotp::CompileOptions &o) {
  if (!dsConfig.empty()) {
    const autotp::StepOptions flags = o.step;
    if (Error error = autotp::readDeepSpeedConfig(dsConfig, o)) return error;
    auto overrule = [](const cl::Option &flag, auto &to, auto value) {
      if (flag.getNumOccurrences() > 0) to = value;
    };
    overrule(tp, o.step.tp, flags.tp);
    overrule(dp, o.step.dp, flags.dp);
    overrule(zero, o.step.zero, flags.zero);
    overrule(gradAccum, o.step.gradAccum, flags.gradAccum);
    overrule(bucketMb, o.step.bucketBytes, flags.bucketBytes);
    overrule(microBatch, o.import.microBatch, microBatch.getValue());
  }
  if (dtype.getNumOccurrences() > 0) o.dtype = dtype;
  if (Error error = parameters.read(o)) return error;
  return patterns.empty() ? Error::success() : autotp::readPatterns(patterns, o);
}

static Error readOptimizer(autotp::CompileOptions &o) {
  auto options = optimizer.options(o.step.optimizer, is_contained(o.optimizerSaidBy, autotp::kConfiguredOptimizer));
  if (!options) return options.takeError();
  o.step.optimizer = *options;
  append_range(o.optimizerSaidBy, optimizer.given());
  return Error::success();
}

static Error readOptions(autotp::CompileOptions &o, int64_t &seed) {
  constexpr int64_t kLargestBucketMb = int64_t(1) << 40; // its bytes are counted in 64 bits
  if (tp < 1 || dp < 1 || tp > 4096 || dp > 4096 || gradAccum < 1 || microBatch < 0 || bucketMb < 1 ||
      bucketMb > kLargestBucketMb)
    return problem("command line", "--tp, --dp, --grad-accum, --micro-batch and --bucket-mb take positive numbers");
  if (zero < 0 || zero > 3) return problem("--zero", "the stage is 0, 1, 2 or 3");
  if (shard != "auto" && shard != "all") return problem("--shard", "'" + shard + "' is neither auto nor all");
  if (Error error = look.read(o)) return error;
  if (output.empty() && !look.stopsEarly()) return problem("-o", "the plan needs a folder", "give one with -o DIR");
  StringRef kind = weights;
  if (kind != "copy" && (!kind.consume_front("none") ||
                         (!kind.empty() && (!kind.consume_front(":") || kind.getAsInteger(10, seed) || seed < 0))))
    return problem("--weights", "'" + weights + "' is neither copy nor none[:seed]");
  o.model = model;
  if (Error error = keyValues("--shape", shapes, [&](StringRef name, StringRef value) {
        int64_t size = 0;
        bool isGood = !value.getAsInteger(10, size) && size > 0 && size < (int64_t(1) << 32);
        o.import.shapes[name] = size;
        return isGood;
      }))
    return error;
  if (Error error = keyValues("--input", inputs, [&](StringRef name, StringRef value) {
        o.inputRoles[name] = value.str();
        return true;
      }))
    return error;
  if (Error error = parameters.check()) return error;
  if (!explain.empty() && explain != "parameters")
    return problem("--explain", "'" + autotp::escaped(explain) + "' is not parameters");
  if (!logits.empty() && madeLoss == autotp::LossMade::None) return problem("--logits", "it needs --loss");
  if (!lossOutput.empty() && madeLoss != autotp::LossMade::None)
    return problem("--loss", "a loss is made, so --loss-output names none", "leave one of them out");
  o.loss = {lossOutput, madeLoss, logits};
  o.tiesByContents = weights == "copy";
  o.shard = shard == "all" ? autotp::ShardMode::All : autotp::ShardMode::Auto;
  readSteps(o);
  o.sequenceParallel = sequenceParallel;
  o.recompute = recompute;
  o.memory.device = device;
  return Error::success();
}

static Expected<std::unique_ptr<autotp::OutputFolder>> openOutput() {
  autotp::OutputFolder::Options options;
  options.force = force;
  options.inputs = {model, dsConfig, patterns, parameters.listFile()};
  return autotp::OutputFolder::open(output, std::move(options));
}

static Error write(autotp::CompiledModel &compiled, autotp::Manifest manifest, autotp::OutputFolder &folder) {
  if (Error error = autotp::writePlan(
          {compiled.graph, compiled.ranks.programs, compiled.ranks.emitted, std::move(manifest)}, folder))
    return error;
  if (Error error = autotp::flushed(outs(), "standard output")) return error; // then there is no plan
  Expected<std::string> movedTo = folder.commit();
  if (!movedTo) return movedTo.takeError();
  outs() << "plan        " << output << "\n";
  if (!movedTo->empty()) outs() << "moved       what stood there is now " << *movedTo << "\n";
  return Error::success();
}

/// The summary, and where the plan lies.
static Error finish(autotp::CompiledModel &compiled, const autotp::CompileOptions &options, int64_t seed,
                    autotp::OutputFolder &folder) {
  autotp::Manifest manifest = autotp::describe(compiled, options);
  manifest.weightsKind = weights == "copy" ? "copy" : "none";
  manifest.weightsSeed = seed;
  autotp::printSummary(compiled, options, outs());
  if (compiled.certificate)
    outs() << formatv("certificate {0} steps of {1} programs proven, {2:f2} s\n", compiled.certificate->steps,
                      compiled.certificate->programs, compiled.times.back().seconds);
  return write(compiled, std::move(manifest), folder);
}

static Error run(autotp::CompileOptions &options, int64_t seed) {
  std::unique_ptr<autotp::OutputFolder> folder;
  if (!look.stopsEarly()) {
    Expected<std::unique_ptr<autotp::OutputFolder>> opened = openOutput();
    if (!opened) return opened.takeError();
    folder = std::move(*opened);
  }
  if (Error error = look.openDump(options, force)) return error;
  Expected<autotp::CompiledModel> compiled = autotp::compile(options);
  Error dumped = look.commitDump(outs());
  if (!compiled) return joinErrors(compiled.takeError(), std::move(dumped));
  if (dumped) return dumped;
  if (explain == "parameters") autotp::explainParameters(*compiled, outs());
  look.printTimes(compiled->times, outs());
  return folder ? finish(*compiled, options, seed, *folder) : Error::success();
}

int main(int argc, char **argv) {
  if (!autotp::parseCommandLine(
          argc, argv, category,
          "Shards an ONNX training graph over tp * dp ranks and writes a plan for each. ARTIFACTS is a "
          "folder that onnxruntime-training's generate_artifacts wrote.\n"))
    return 2;
  autotp::CompileOptions options;
  int64_t seed = 0;
  if (autotp::exitCode(readOptions(options, seed)) != 0) return 2;
  if (autotp::exitCode(readFiles(options)) != 0) return 1;
  if (autotp::exitCode(readOptimizer(options)) != 0) return 2;
  return autotp::exitCode(run(options, seed));
}
