// The options of autotp-run: what the rows must be, and what flags set.
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"
#include "runtime/plan/manifest.h"
#include "runtime/train/schedule_of_run.h"
#include "runtime/train/train_options.h"
#include "runtime/train/train_rows.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>
#include <set>

namespace autotp {
namespace {

std::vector<const OptionRow *> rows() {
  std::vector<const OptionRow *> all;
  for (const OptionSection &section : trainSections())
    llvm::append_range(all, section.rows);
  return all;
}

using Flags = std::vector<std::pair<llvm::StringRef, const char *>>;

/// The message; "": all is right.
std::string read(const Flags &flags, TrainOptions &options) {
  std::vector<GivenFlag> given;
  for (const auto &[flag, text] : flags)
    for (const OptionRow *row : rows())
      if (row->flag == flag) given.push_back({row, text});
  EXPECT_EQ(given.size(), flags.size());
  llvm::Error error = setFlags(given, options);
  return error ? describe(std::move(error)) : "";
}

TEST(TrainRows, AreWithoutFault) {
  std::set<std::string> flags;
  for (const OptionRow *row : rows()) {
    EXPECT_EQ(llvm::join(faultsOf(*row), ", "), "") << flagText(*row);
    EXPECT_TRUE(flags.insert(flagText(*row)).second) << flagText(*row) << " is the flag of two rows";
  }
}

TEST(TrainRows, SetTheirMembers) {
  TrainOptions options;
  EXPECT_EQ(read({{"steps", "3"}, {"lr", "0.5"}, {"comm", "local"}, {"quiet", "true"}, {"log", "a"}}, options), "");
  EXPECT_EQ(options.steps, 3);
  EXPECT_EQ(options.lr, 0.5);
  EXPECT_FALSE(options.seed);
  EXPECT_EQ(options.comm, "local");
  EXPECT_TRUE(options.isQuiet);
  EXPECT_EQ(options.log, "a");
  EXPECT_EQ(read({{"seed", "0"}, {"comm", "auto"}, {"feed", ""}}, options), "");
  EXPECT_EQ(options.seed, 0);
  EXPECT_FALSE(options.lrKind);
  EXPECT_EQ(read({{"lr-schedule", "wsd"}, {"warmup-steps", "4"}, {"min-lr", "0"}, {"decay-steps", "2"}}, options), "");
  EXPECT_EQ(options.lrKind, LrKind::Wsd);
  EXPECT_EQ(options.warmupSteps, 4);
  EXPECT_EQ(options.minLr, 0);
  EXPECT_EQ(options.decaySteps, 2);
  EXPECT_EQ(options.comm, ""); // the first that serves
  EXPECT_EQ(read({{"data", ""}}, options),
            "error: --data: '' is not of the form synthetic[:seed]|[KIND:]FILE[:WEIGHT][,...]");
}

TEST(TrainRows, AllThatIsWrongIsSaidAtOnce) {
  TrainOptions options;
  EXPECT_EQ(read({{"steps", "0"},
                  {"seed", "-1"},
                  {"lr", "nan"},
                  {"lr-schedule", "step"},
                  {"warmup-steps", "-1"},
                  {"min-lr", "-1"},
                  {"decay-steps", "1e3"},
                  {"comm", "tcp"},
                  {"device", "tpu"},
                  {"threads", "x"},
                  {"threads", "99999999999"}},
                 options),
            "error: --steps: '0' is not 1 or more\n"
            "error: --seed: '-1' is not 0 or more\n"
            "error: --lr: 'nan' is negative, infinite or no number\n"
            "error: --lr-schedule: 'step' is none of constant, linear, cosine, wsd, inverse-sqrt\n"
            "error: --warmup-steps: '-1' is not from 0 to 1000000000000\n"
            "error: --min-lr: '-1' is negative, infinite or no number\n"
            "error: --decay-steps: '1e3' is no whole number\n"
            "error: --comm: 'tcp' is none of auto, nccl, shm, mpi, gloo, local\n"
            "error: --device: 'tpu' is neither cpu nor cuda\n"
            "error: --threads: 'x' is no whole number\n"
            "error: --threads: '99999999999' is not from 0 to 4096");
}

/// What the run's flags make of a plan's schedule, or the message.
std::string changed(const LrSchedule &plans, const TrainOptions &options, bool hasOwnRate = false) {
  Manifest manifest;
  manifest.lr = plans;
  llvm::Expected<LrSchedule> lr = scheduleOfRun(manifest, options, hasOwnRate);
  return lr ? textOf(*lr) : describe(lr.takeError());
}

TEST(ScheduleOfRun, FlagsOverruleThePlan) {
  const LrSchedule cosine{.kind = LrKind::Cosine, .peak = 0.5, .minimum = 0.25, .warmupSteps = 4, .decaySteps = 100},
      late{.kind = LrKind::Linear, .warmupSteps = 4, .warmupShape = WarmupShape::Log, .isLate = true};
  EXPECT_EQ(changed({}, {}), "0.001, constant");
  EXPECT_EQ(changed(cosine, {}), "0.5, cosine over 100 steps, warm-up 4 steps, min lr 0.25");
  TrainOptions one, other;
  one.steps = other.steps = 20;
  one.lr = 0.75;
  one.decaySteps = 0;
  one.minLr = 0;
  EXPECT_EQ(changed(cosine, one), "0.75, cosine over the run's 20 steps, warm-up 4 steps, min lr 0");
  other.lrKind = LrKind::Linear;
  EXPECT_EQ(changed(cosine, other), "0.5, linear over the run's 20 steps, min lr 0"); // as a whole
  EXPECT_EQ(changed(late, other), "0.001, linear over the run's 20 steps, min lr 0");
  other.lrKind = LrKind::Constant;
  EXPECT_EQ(changed(cosine, other), "0.5, constant");
  other.lrKind = {};
  EXPECT_EQ(changed(late, other),
            "0.001, linear over the run's 20 steps, warm-up 4 steps by the logarithm, a step late as "
            "in DeepSpeed, min lr 0");
}

TEST(ScheduleOfRun, Contradictions) {
  TrainOptions options;
  options.warmupSteps = 11;
  options.lrKind = LrKind::Cosine;
  options.minLr = 0.5;
  EXPECT_EQ(changed({}, options), "error: --min-lr: 0.5 is above the learning rate, 0.001\n"
                                  "  do:  give a smaller one, or a larger --lr\n"
                                  "error: --warmup-steps: the warm-up takes 11 steps, and the whole schedule 10\n"
                                  "  do:  give fewer, or more --steps or --decay-steps");
  EXPECT_EQ(changed({}, {}, /*hasOwnRate=*/true), "0.001, constant");
  EXPECT_EQ(changed({}, options, /*hasOwnRate=*/true),
            "error: --lr-schedule: the plan's learning rate is that of the model's own training graph\n"
            "  do:  leave it out\n"
            "error: --warmup-steps: the plan's learning rate is that of the model's own training graph\n"
            "  do:  leave it out\n"
            "error: --min-lr: the plan's learning rate is that of the model's own training graph\n"
            "  do:  leave it out");
}

} // namespace
} // namespace autotp
