// What flags say: values, ranges, contradictions, and who said what.
#include "passes/options/compile_row.h"
#include "passes/options/option_rows.h"
#include "passes/options/read_options.h"
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

using Flags = std::vector<std::pair<const char *, const char *>>;

const KnownPasses kPasses = {{"first", "second"}, {"second"}};

/// The message; "": all is right. -o is given as well.
std::string read(const Flags &flags, CompileOptions &options) {
  std::vector<GivenFlag> given = {{&optionNamed("o"), "plan"}};
  for (auto [name, text] : flags)
    given.push_back({&optionNamed(name), text});
  if (llvm::Error error = readFlags(given, kPasses, options)) return describe(std::move(error));
  if (llvm::Error error = checkOptimizer(options)) return describe(std::move(error));
  return "";
}

std::string read(const Flags &flags) {
  CompileOptions options;
  return read(flags, options);
}

TEST(ReadFlags, SetTheirMembers) {
  CompileOptions options;
  EXPECT_EQ(read({{"tp", "0x10"},
                  {"shape", "seq=8"},
                  {"shape", "ids:1=16"},
                  {"input", "a=b=tokens"},
                  {"dtype", "fp32"},
                  {"weights", "none:7"},
                  {"no-retie", "true"},
                  {"no-recognise", "false"},
                  {"no-verify", "true"},
                  {"skip-pass", "second"},
                  {"bucket-mb", "2"},
                  {"explain", "parameters"},
                  {"optimizer", "adagrad"},
                  {"eps", "0.5"},
                  {"decay", "all"}},
                 options),
            "");
  EXPECT_EQ(options.step.tp, 16);
  EXPECT_EQ(options.import.shapes.lookup("seq"), 8);
  EXPECT_EQ(options.import.shapes.lookup("ids:1"), 16);
  EXPECT_EQ(options.inputRoles.lookup("a=b"), "tokens");
  EXPECT_EQ(options.dtype, DType::F32);
  EXPECT_FALSE(options.weights.areGiven);
  EXPECT_EQ(options.weights.seed, 7);
  EXPECT_FALSE(options.retie);
  EXPECT_TRUE(options.recognise);
  EXPECT_EQ(options.skipped, (std::set<std::string>{"certify", "second"}));
  EXPECT_EQ(options.step.bucketBytes, 2 << 20);
  EXPECT_TRUE(options.look.explainsParameters);
  EXPECT_EQ(options.step.optimizer.kind, OptimizerKind::Adagrad);
  EXPECT_EQ(options.step.optimizer.lr.peak, 1e-2); // its own
  EXPECT_EQ(options.step.optimizer.epsilon, 0.5);
  EXPECT_TRUE(options.step.optimizer.decaysAll);
}

TEST(ReadFlags, ASchedule) {
  CompileOptions options;
  EXPECT_EQ(read({{"optimizer", "adagrad"},
                  {"lr", "0.5"},
                  {"lr-schedule", "cosine"},
                  {"warmup-steps", "10"},
                  {"min-lr", "0.25"},
                  {"decay-steps", "100"}},
                 options),
            "");
  EXPECT_EQ(options.step.optimizer.lr,
            (LrSchedule{.kind = LrKind::Cosine, .peak = 0.5, .minimum = 0.25, .warmupSteps = 10, .decaySteps = 100}));
  EXPECT_EQ(read({{"lr-schedule", "linear"}, {"warmup-steps", "11"}, {"min-lr", "1"}, {"decay-steps", "10"}}),
            "error: --min-lr: 1 is above the learning rate, 0.001\n"
            "  do:  give a smaller one, or a larger --lr\n"
            "error: --warmup-steps: the warm-up takes 11 steps, and the whole schedule 10\n"
            "  do:  give fewer, or more --steps or --decay-steps");
  EXPECT_NE(read({{"lr-schedule", "step"}}).find("'step' is none of constant, linear, cosine, wsd, inverse-sqrt"),
            std::string::npos);
}

TEST(ReadFlags, WhereWeightsComeFrom) {
  auto weightsOf = [](const char *text) {
    CompileOptions options;
    EXPECT_EQ(read({{"weights", text}}, options), "") << text;
    const WeightsOptions &w = options.weights;
    const char *words[] = {"auto ", "copy ", "reference "};
    return (w.areGiven ? words[size_t(w.held)] : "random ") + w.path;
  };
  EXPECT_EQ(weightsOf("auto"), "auto ");
  EXPECT_EQ(weightsOf("copy"), "copy ");
  EXPECT_EQ(weightsOf("none"), "random ");
  EXPECT_EQ(weightsOf("w.safetensors"), "auto w.safetensors");
  EXPECT_EQ(weightsOf("copy:w.safetensors"), "copy w.safetensors");
  EXPECT_EQ(weightsOf("reference"), "reference ");
  EXPECT_EQ(weightsOf("reference:a:b"), "reference a:b");
  EXPECT_EQ(weightsOf("./reference"), "auto ./reference");
  EXPECT_NE(read({{"weights", "reference:"}}), "");
  EXPECT_NE(read({{"weights", "copy:"}}), "");
  EXPECT_EQ(read({{"weights", "reference:x"}, {"weights-layout", "torch"}}), "");
}

TEST(ReadFlags, WhoSaidIt) {
  CompileOptions options;
  EXPECT_EQ(read({{"lr", "0.5"}, {"train", ""}}, options), "");
  ASSERT_EQ(options.said.size(), 2u); // a text of no letters says nothing
  EXPECT_EQ(options.said[1].option, &optionNamed("lr"));
  EXPECT_EQ(options.said[1].by, SaidBy::CommandLine);
  EXPECT_EQ(options.said[1].where, "--lr");
  EXPECT_EQ(read({{"assume", ""}, {"patterns", ""}}), "");
  EXPECT_NE(read({{"weights", ""}}), "");
  EXPECT_NE(read({{"tp", ""}}), "");
}

TEST(ReadFlags, WordsOfATextSayTheSame) {
  CompileOptions options;
  auto said = [&](llvm::StringRef words) {
    llvm::Error error = readWords(words, options);
    return error ? describe(std::move(error)) : "";
  };
  EXPECT_EQ(said("tp=2 shard=all dtype=bf16 sequence-parallel no-retie shape=seq=8"), "");
  EXPECT_EQ(options.step.tp, 2);
  EXPECT_EQ(options.shard, ShardMode::All);
  EXPECT_EQ(options.dtype, DType::BF16);
  EXPECT_TRUE(options.sequenceParallel);
  EXPECT_FALSE(options.retie);
  EXPECT_EQ(options.import.shapes.lookup("seq"), 8);
  EXPECT_EQ(said("dp=0 tpp=2"), "error: --dp: '0' is not from 1 to 4096\n"
                                "error: options: none is called 'tpp'\n"
                                "  do:  see autotp-compile --help");
}

/// Each end of each range, by the rows: what lies beyond is refused, and the ends are not.
TEST(ReadFlags, EveryRange) {
  for (const CompileRow *row : optionRows()) {
    if (row->flag.empty() || (row->kind() != OptionKind::Integer && row->kind() != OptionKind::Real)) continue;
    const OptionRange range = row->range;
    EXPECT_TRUE(std::isfinite(range.least)) << row->flag.str();
    auto isRefused = [&](double number) { return !valueOfText(*row, numberText(number)).fault.empty(); };
    EXPECT_FALSE(isRefused(range.least)) << row->flag.str();
    EXPECT_TRUE(isRefused(range.least - 1)) << row->flag.str();
    if (!std::isfinite(range.most)) continue;
    EXPECT_EQ(isRefused(range.most), range.isMostExcluded) << row->flag.str();
    EXPECT_TRUE(isRefused(range.most + 1)) << row->flag.str();
  }
}

TEST(ReadFlags, AllThatIsWrongIsSaidAtOnce) {
  EXPECT_EQ(read({{"tp", "x"},
                  {"dp", "5000"},
                  {"shard", "some"},
                  {"device", "tpu"},
                  {"beta1", "1"},
                  {"lr", "-1"},
                  {"bucket-mb", "0"},
                  {"weights", "none:x"},
                  {"print-after", "third"},
                  {"skip-pass", "first"},
                  {"only", "a"},
                  {"freeze", "b"}}),
            "error: --tp: 'x' is no whole number\n"
            "error: --dp: '5000' is not from 1 to 4096\n"
            "error: --shard: 'some' is neither auto nor all\n"
            "error: --device: 'tpu' is neither cpu nor cuda\n"
            "error: --beta1: '1' is not in [0, 1)\n"
            "error: --lr: '-1' is negative, infinite or no number\n"
            "error: --bucket-mb: '0' is not from 1 to 1099511627776\n"
            "error: --weights: 'none:x' is not of the form auto|copy|reference|none[:seed]|[copy:|reference:]PATH\n"
            "error: --print-after: there is no pass 'third'\n"
            "  do:  there are: first, second\n"
            "error: --skip-pass: there is no pass that may be left out, 'first'\n"
            "  do:  there are: second\n"
            "error: --only: it says all of what is trained, so --train and --freeze have nothing to add\n"
            "  do:  leave them out, or use them without --only");
}

TEST(ReadFlags, WordsAreListed) {
  EXPECT_NE(read({{"optimizer", "lion"}}).find("error: --optimizer: 'lion' is none of adamw, adam, sgd, "),
            std::string::npos);
  EXPECT_EQ(read({{"recompute", "all"}}), "error: --recompute: 'all' is none of none, attention, layer");
  EXPECT_EQ(read({{"explain", "axes"}}), "error: --explain: 'axes' is not parameters");
}

/// By the rows of both tables: an optimizer has an option, or refuses its flag.
TEST(ReadFlags, EveryOptimizerWithEveryOption) {
  for (OptimizerKind kind : allOptimizers())
    for (const CompileRow *row : optionRows()) {
      if (!row->is(kOfOptimizer)) continue;
      const char *text = row->kind() == OptionKind::Switch ? "true" : "0.5";
      const std::string said = read({{"optimizer", nameOf(kind).data()}, {row->flag.data(), text}}),
                        refusal = "error: --" + row->flag.str() + ": " + nameOf(kind).str() + " has no such option";
      EXPECT_EQ(llvm::StringRef(said).split('\n').first.str(), hasOption(kind, row->flag) ? "" : refusal);
    }
  EXPECT_NE(read({{"optimizer", "momentum"}, {"dampening", "0.5"}, {"nesterov", "true"}}).find("--nesterov"),
            std::string::npos);
}

} // namespace
} // namespace autotp
