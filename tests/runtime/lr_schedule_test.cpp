// The learning rate of each step, against those that transformers' schedules gave, and what a schedule may not be.
#include "runtime/base/error.h"
#include "runtime/plan/lr_schedule.h"

#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace autotp {
namespace {

LrSchedule scheduleOf(const llvm::json::Object &said) {
  LrSchedule s;
  llvm::json::Path::Root root;
  EXPECT_TRUE(fromJSON(*said.get("kind"), s.kind, root));
  s.peak = *said.getNumber("peak");
  s.minimum = said.getNumber("min_lr").getValueOr(0);
  s.warmupSteps = said.getInteger("warmup_steps").getValueOr(0);
  s.decaySteps = said.getInteger("decay_steps").getValueOr(0);
  s.runSteps = said.getInteger("run_steps").getValueOr(0);
  return s;
}

/// As record_schedules.py wrote them.
TEST(LrSchedule, RatesAreTransformers) {
  auto file = llvm::MemoryBuffer::getFile(AUTOTP_SOURCE_DIR "/tests/runtime/transformers_schedules.json");
  ASSERT_TRUE(bool(file));
  const llvm::json::Value cases = llvm::cantFail(llvm::json::parse((*file)->getBuffer()));
  ASSERT_EQ(cases.getAsArray()->size(), 12u);
  for (const llvm::json::Value &each : *cases.getAsArray()) {
    const llvm::json::Object &record = *each.getAsObject();
    const LrSchedule schedule = scheduleOf(*record.getObject("schedule"));
    SCOPED_TRACE(record.getString("reference")->str() + ": " + textOf(schedule));
    EXPECT_FALSE(bool(checkSchedule(schedule)));
    const llvm::json::Array &rates = *record.getArray("rates");
    ASSERT_EQ(rates.size(), 200u);
    for (size_t i = 0; i < rates.size(); ++i)
      EXPECT_NEAR(learningRateAt(schedule, int64_t(i) + 1), *rates[i].getAsNumber(), 1e-12 * *rates[i].getAsNumber())
          << "step " << i + 1;
  }
}

TEST(LrSchedule, BeyondTheEndItStays) {
  for (LrKind kind : {LrKind::Linear, LrKind::Cosine, LrKind::Wsd}) {
    const LrSchedule s{.kind = kind,
                       .peak = 1,
                       .minimum = 0.25,
                       .warmupSteps = 2,
                       .decaySteps = kind == LrKind::Wsd ? 4 : 8,
                       .runSteps = 8};
    EXPECT_GT(learningRateAt(s, 8), 0.25);
    for (int64_t step : {9, 10, 12, 17, 1000000000})
      EXPECT_EQ(learningRateAt(s, step), 0.25) << nameOf(kind).str();
  }
  const LrSchedule root{.kind = LrKind::InverseSqrt, .peak = 1, .minimum = 0.25, .warmupSteps = 4};
  EXPECT_EQ(learningRateAt(root, 17), 0.5); // 1 / sqrt(16 / 4)
  EXPECT_EQ(learningRateAt(root, 1000), 0.25);
}

/// What transformers does not have: a straight line to another end than 0.
TEST(LrSchedule, ALineToAMinimum) {
  const LrSchedule s{.kind = LrKind::Linear, .peak = 1, .minimum = 0.5, .warmupSteps = 2, .decaySteps = 6};
  for (auto [step, rate] : {std::pair(1, 0.0), {2, 0.5}, {3, 1.0}, {4, 0.875}, {6, 0.625}, {7, 0.5}, {8, 0.5}})
    EXPECT_EQ(learningRateAt(s, step), rate) << step;
}

TEST(LrSchedule, WithoutASchedule) {
  EXPECT_TRUE(isOneRate(LrSchedule()));
  EXPECT_FALSE(isOneRate({.warmupSteps = 1}));
  EXPECT_EQ(learningRateAt(LrSchedule(), 1), 1e-3);
  EXPECT_EQ(learningRateAt({.peak = 0}, 1000), 0);
  EXPECT_EQ(learningRateAt({.kind = LrKind::Cosine, .peak = 0, .decaySteps = 10}, 5), 0);
}

TEST(LrSchedule, Texts) {
  EXPECT_EQ(textOf({}), "0.001, constant");
  EXPECT_EQ(textOf({.warmupSteps = 1}), "0.001, constant, warm-up 1 step");
  EXPECT_EQ(textOf({.kind = LrKind::Cosine, .minimum = 1e-5, .warmupSteps = 10, .decaySteps = 100}),
            "0.001, cosine over 100 steps, warm-up 10 steps, min lr 1e-05");
  EXPECT_EQ(textOf({.kind = LrKind::Linear}), "0.001, linear over the run's steps, min lr 0");
  EXPECT_EQ(textOf({.kind = LrKind::Wsd, .decaySteps = 20, .runSteps = 90}),
            "0.001, wsd over the run's 90 steps, of which the last 20 decay, min lr 0");
  EXPECT_EQ(textOf({.warmupSteps = 9, .warmupFrom = 1e-4, .warmupShape = WarmupShape::Log, .isLate = true}),
            "0.001, constant, warm-up 9 steps from 0.0001 by the logarithm, a step late as in DeepSpeed");
}

std::string faultOf(const LrSchedule &schedule) {
  llvm::Error error = checkSchedule(schedule);
  return error ? describe(std::move(error)) : "";
}

TEST(LrSchedule, Contradictions) {
  EXPECT_EQ(faultOf({.warmupSteps = 100, .runSteps = 10}), ""); // the first steps of a longer training
  EXPECT_EQ(faultOf({.kind = LrKind::Linear, .warmupSteps = 10, .runSteps = 10}), "");
  EXPECT_EQ(faultOf({.kind = LrKind::Linear, .warmupSteps = 10}), ""); // not known yet
  EXPECT_EQ(faultOf({.kind = LrKind::Linear, .warmupSteps = 11, .runSteps = 10}),
            "error: --warmup-steps: the warm-up takes 11 steps, and the whole schedule 10\n"
            "  do:  give fewer, or more --steps or --decay-steps");
  EXPECT_EQ(faultOf({.kind = LrKind::Wsd, .warmupSteps = 5, .decaySteps = 6, .runSteps = 10}),
            "error: --warmup-steps: the warm-up with the decay takes 11 steps, and the whole schedule 10\n"
            "  do:  give fewer of the two, or more --steps");
  EXPECT_EQ(faultOf({.kind = LrKind::Wsd, .runSteps = 10}),
            "error: --decay-steps: the schedule wsd does not say how many of its last steps decay\n"
            "  do:  give it");
  EXPECT_EQ(faultOf({.kind = LrKind::InverseSqrt, .minimum = 0.5, .decaySteps = 6}),
            "error: --min-lr: 0.5 is above the learning rate, 0.001\n"
            "  do:  give a smaller one, or a larger --lr\n"
            "error: --decay-steps: the schedule inverse-sqrt has no end\n"
            "  do:  leave it out, or name another --lr-schedule");
  EXPECT_EQ(faultOf({.minimum = 1e-4, .warmupFrom = 0.5}),
            "error: --lr: 0.001 is below what the warm-up begins with, 0.5\n"
            "  do:  give a larger one, or another --lr-schedule\n"
            "error: --min-lr: a constant learning rate does not fall\n"
            "  do:  leave it out, or name another --lr-schedule");
}

TEST(LrSchedule, Ranges) {
  EXPECT_TRUE(isInRange({}));
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (double wrong : {-1.0, inf, nan}) {
    EXPECT_FALSE(isInRange({.peak = wrong}));
    EXPECT_FALSE(isInRange({.minimum = wrong}));
    EXPECT_FALSE(isInRange({.warmupFrom = wrong}));
    EXPECT_FALSE(isInRange({.decayAfter = wrong}));
  }
  for (int64_t wrong : {int64_t(-1), int64_t(kMostSteps) + 1, INT64_MAX}) {
    EXPECT_FALSE(isInRange({.warmupSteps = wrong}));
    EXPECT_FALSE(isInRange({.decaySteps = wrong}));
    EXPECT_FALSE(isInRange({.warmupStairs = wrong}));
    EXPECT_FALSE(isInRange({.decayStairs = wrong}));
  }
}

} // namespace
} // namespace autotp
