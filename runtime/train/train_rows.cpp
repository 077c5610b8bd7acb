#include "runtime/train/train_rows.h"

#include "runtime/data/data_kinds.h"
#include "runtime/train/communicators.h"
#include "runtime/train/train_options.h"

namespace autotp {
namespace {

using Options = TrainOptions;

constexpr auto kSchedules = wordsOfKinds(kLrKinds);
constexpr auto kOrders = wordsOfKinds(kDataOrders);

constexpr llvm::StringLiteral kPlans = "the plan's";

constexpr OptionRow kStepRows[] = {
    {.placeholder = "PLAN", .member = at<&Options::plan>(), .help = "the folder that autotp-compile wrote"},
    {.flag = "steps",
     .placeholder = "N",
     .member = at<&Options::steps>(),
     .range = {1},
     .help = "optimizer steps of the whole training: with those before a checkpoint from which it goes on"},
    {.flag = "max-minutes",
     .placeholder = "X",
     .member = at<&Options::maxMinutes>(),
     .range = kNotNegative,
     .help = "end after the step in which this time is over, as SIGTERM and SIGINT do: with a checkpoint if --save is "
             "given",
     .defaultText = "0, no limit"},
    {.flag = "check-finite",
     .member = at<&Options::checksFinite>(),
     .help =
         "end in fp16, too, at the first step whose loss or gradients are not finite, and name the first such value "
         "with its node and rank",
     .detail = "fp16 skips such a step otherwise, and lowers its loss scale. In fp32 and bf16 it always is an error"},
    {.flag = "lr",
     .placeholder = "X",
     .member = at<&Options::lr>(),
     .range = kNotNegative,
     .help = "learning rate, the highest of a schedule",
     .defaultText = kPlans},
    {.flag = "lr-schedule",
     .member = at<&Options::lrKind>(),
     .words = kSchedules,
     .help =
         "learning rate of each step, in place of the plan's schedule and all that belongs to it but the highest rate",
     .defaultText = kPlans},
    {.flag = "warmup-steps",
     .placeholder = "N",
     .member = at<&Options::warmupSteps>(),
     .range = {0, kMostSteps},
     .help = "steps in which the learning rate rises",
     .defaultText = kPlans},
    {.flag = "min-lr",
     .placeholder = "X",
     .member = at<&Options::minLr>(),
     .range = kNotNegative,
     .help = "learning rate that a schedule falls to, and keeps beyond its end",
     .defaultText = kPlans},
    {.flag = "decay-steps",
     .placeholder = "N",
     .member = at<&Options::decaySteps>(),
     .range = {0, kMostSteps},
     .help = "steps of the whole schedule, 0: --steps; with wsd those of the decay, which ends with the run",
     .defaultText = "the plan's, or --steps if it has none"},
    {.flag = "seed",
     .placeholder = "N",
     .member = at<&Options::seed>(),
     .range = kNotNegative,
     .help = "seed of dropout, of the order of samples, and of initial weights for a plan without",
     .defaultText = kPlans},
};

/// A variable of the shell that is not set would switch it off in silence.
bool isSaid(llvm::StringRef text) { return !text.empty(); }

constexpr OptionRow kDataRows[] = {
    {.flag = "data",
     .placeholder = "synthetic[:seed]|[KIND:]FILE[:WEIGHT][,...]",
     .member = at<&Options::data>(),
     .isOfItsForm = [](llvm::StringRef text) { return !text.empty(); },
     .help = "random tokens, or files, also by patterns such as 'a*.bin', of the kinds"}, // which follow
    {.flag = "data-order",
     .member = at<&Options::dataOrder>(),
     .words = kOrders,
     .help = "how samples follow one another; what a row is depends on its number alone, and on neither tp nor dp"},
    {.flag = "feed",
     .placeholder = "FILE.npz|FOLDER[,...]",
     .member = at<&Options::feed>(),
     .help = "arrays by graph input name, samples first; instead of --data",
     .detail = "The samples of several files, or of all .npz files in a folder, follow one another. Each holds one for "
               "each input that the graph reads; one that all samples share (`position_ids [1, seq]`) as "
               "it is, or once for each step"},
    {.flag = "eval-every",
     .placeholder = "N",
     .member = at<&Options::evalEvery>(),
     .range = {0, kMostSteps},
     .help = "after every N-th step and the last one, compute the loss of other samples, without dropout",
     .defaultText = "0, never"},
    {.flag = "eval-data",
     .placeholder = "SPEC",
     .member = at<&Options::evalData>(),
     .isOfItsForm = isSaid,
     .help = "what --data takes: the samples of an evaluation, from the first one on and in order, each time the same"},
    {.flag = "eval-feed",
     .placeholder = "FILE.npz|FOLDER[,...]",
     .member = at<&Options::evalFeed>(),
     .isOfItsForm = isSaid,
     .help = "what --feed takes; instead of --eval-data"},
    {.flag = "eval-steps",
     .placeholder = "K",
     .member = at<&Options::evalSteps>(),
     .range = {1, kMostSteps},
     .help = "global batches of an evaluation, of as many samples as those of a training step"},
};

constexpr OptionWord kDevices[] = {{.name = "cpu", .help = "the host"},
                                   {.name = "cuda", .help = "NVIDIA GPUs, one or more ranks on each"}};

constexpr llvm::StringLiteral kFirst = "auto"; // how --comm spells what the empty name is

OptionValue commText(const Options &o) { return o.comm.empty() ? kFirst.str() : o.comm; }

void setComm(Options &o, const OptionValue &value) {
  const std::string &text = std::get<std::string>(value);
  o.comm = text == kFirst ? "" : text;
}

constexpr OptionRow kRankRows[] = {
    {.flag = "comm",
     .member = accessedBy<commText, setComm>(OptionKind::Text),
     .help = "how ranks communicate"}, // its words are the communicators
    {.flag = "rank-timeout",
     .placeholder = "X",
     .member = at<&Options::rankTimeout>(),
     .range = {0, 1e6},
     .help =
         "with --comm shm and gloo, seconds for which ranks wait for one that runs, before they end and name it; 0 "
         "waits for "
         "ever, also for one that a debugger has stopped. Without it, a rank that ends or is stopped ends the others "
         "within 5 s",
     .mayDiffer = true},
    {.flag = "device",
     .member = at<&Options::device>(),
     .words = kDevices,
     .help = "what ranks run on; must be what the plan is for",
     .defaultText = "the plan's"},
    {.flag = "tf32",
     .member = at<&Options::allowsTf32>(),
     .help = "on a GPU, products may round their operands to tf32: faster, less exact"},
    {.flag = "threads",
     .placeholder = "N",
     .member = at<&Options::threads>(),
     .range = {0, 4096},
     .help = "threads of each rank",
     .defaultText = "0, the cores shared out",
     .mayDiffer = true},
    {.flag = "instruction-set",
     .placeholder = "NAME",
     .member = at<&Options::instructionSet>(),
     .help = "of the cpu device's kernels, as --version lists them",
     .detail =
         "They are compiled for x86-64-v2, v3 (AVX2) and v4 (AVX-512). Runs on equal instruction sets give equal bits",
     .defaultText = "the best that the host has"},
};

constexpr OptionRow kCheckpointRows[] = {
    {.flag = "save",
     .placeholder = "FOLDER",
     .member = at<&Options::save>(),
     .isOfItsForm = isSaid,
     .help = "write a checkpoint FOLDER/step-N after the last step; ranks on several hosts must share it"},
    {.flag = "save-every",
     .placeholder = "N",
     .member = at<&Options::saveEvery>(),
     .range = {0, kMostSteps},
     .help = "and after every N-th step",
     .defaultText = "0, only at the end"},
    {.flag = "keep",
     .placeholder = "K",
     .member = at<&Options::keep>(),
     .range = {0, kMostSteps},
     .help = "delete all but the newest K checkpoints in FOLDER, once a new one is whole",
     .detail = "Only what autotp-run wrote and nobody has changed is deleted",
     .defaultText = "0, all"},
    {.flag = "save-async",
     .member = at<&Options::savesAsync>(),
     .help = "write files while training goes on, from a copy in host memory"},
    {.flag = "resume",
     .placeholder = "FOLDER|auto",
     .member = at<&Options::resume>(),
     .isOfItsForm = isSaid,
     .help = "go on from a checkpoint, or from the newest in a folder of them, on this plan's mesh",
     .detail =
         "It may have been written on any other: tp, dp, zero, dtype, buckets and device may differ, the model and the "
         "optimizer may not. auto takes the newest in --save's folder, and begins if there is none, so a job that is "
         "started again and again has one command"},
};

constexpr OptionRow kOutputRows[] = {
    {.flag = "log",
     .placeholder = "FILE.jsonl",
     .member = at<&Options::log>(),
     .help = "one JSON object a step: a new file, in place of one of that name, or a FIFO, /dev/stdout, /dev/fd/N; a "
             "run that "
             "goes on from a checkpoint appends to it",
     .output = OptionOutput::Streamed,
     .mayDiffer = true},
    {.flag = "tensorboard",
     .placeholder = "FOLDER",
     .member = at<&Options::tensorboard>(),
     .isOfItsForm = isSaid,
     .help = "the same for TensorBoard: a new event file in this folder, which is made if it does not exist",
     .mayDiffer = true},
    {.flag = "peak-tflops",
     .placeholder = "X",
     .member = at<&Options::peakTflops>(),
     .range = kNotNegative,
     .help = "10^12 operations a second of one rank's device in the plan's dtype: the log has the model's share (mfu)",
     .defaultText = "0, not known",
     .mayDiffer = true},
    {.flag = "dump-gradients",
     .placeholder = "FILE.safetensors",
     .member = at<&Options::dumpGradients>(),
     .help =
         "write the first step's whole gradients, of the mean loss, before clipping; a file of that name is replaced",
     .output = OptionOutput::Whole},
    {.flag = "save-weights",
     .placeholder = "FILE.safetensors",
     .member = at<&Options::saveWeights>(),
     .help = "write the whole weights after the last step; a file of that name is replaced",
     .output = OptionOutput::Whole},
    {.flag = "quiet", .member = at<&Options::isQuiet>(), .help = "print no line a step", .mayDiffer = true},
};

/// " text, jsonl, ...": the names of the kinds.
std::string dataKindNames() {
  std::string names;
  for (const DataKind &kind : dataKinds())
    names += (names.empty() ? " " : ", ") + kind.name.str();
  return names;
}

/// What each kind is, for the documents.
llvm::StringRef dataKindsText() {
  static const std::string text = [] {
    std::string kinds;
    for (const DataKind &kind : dataKinds()) {
      kinds += (kinds.empty() ? "`" : "; `") + kind.name.str() + "`";
      if (!kind.extensions.empty()) kinds += " (" + kind.extensions.str() + ")";
      kinds += ": " + kind.help.str();
    }
    return kinds +
           ". A file's name and first bytes tell its kind, which KIND: overrules. With weights each file gets its "
           "share of the samples. See `docs/guide/data.md`";
  }();
  return text;
}

std::vector<OptionRow> dataRows() {
  std::vector<OptionRow> rows(std::begin(kDataRows), std::end(kDataRows));
  static const std::string help = rows[0].help.str() + dataKindNames();
  rows[0].help = help;
  rows[0].detail = dataKindsText();
  return rows;
}

llvm::ArrayRef<OptionWord> communicatorWords() {
  static const std::vector<OptionWord> words = [] {
    std::vector<OptionWord> all = {{.name = kFirst, .help = "the first of these that serves"}};
    for (const CommunicatorRow &row : communicators())
      all.push_back({.name = row.name, .help = row.help});
    return all;
  }();
  return words;
}

std::vector<OptionRow> rankRows() {
  std::vector<OptionRow> rows(std::begin(kRankRows), std::end(kRankRows));
  rows[0].words = communicatorWords();
  return rows;
}

} // namespace

llvm::ArrayRef<OptionSection> trainSections() {
  static const std::vector<OptionRow> ranks = rankRows(), data = dataRows();
  static const OptionSection sections[] = {{"Steps", kStepRows},
                                           {"Data", data},
                                           {"Ranks and where they run", ranks},
                                           {"Checkpoints", kCheckpointRows},
                                           {"What is printed and written", kOutputRows}};
  return sections;
}

} // namespace autotp
