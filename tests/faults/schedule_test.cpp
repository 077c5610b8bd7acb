// Learning rates that a run trains with, read from its log: the plan's schedule, and flags of the run that overrule it.
#include "runtime/plan/lr_schedule.h"
#include "tests/faults/command.h"

#include "llvm/Support/JSON.h"

namespace autotp::test {
namespace {

/// Runs the plan; its rates by the log, step for step.
class Schedules : public Commands {
protected:
  std::vector<double> rates(const std::string &flags) {
    const Ended ended = run("autotp-run {}/plan --threads 1 --log {}/log.jsonl " + flags);
    EXPECT_EQ(ended.code, 0) << ended.err;
    said = ended.out;
    std::vector<double> all;
    std::istringstream log(contentsOf(folder.path() + "/log.jsonl"));
    for (std::string line; std::getline(log, line);)
      all.push_back(*llvm::cantFail(llvm::json::parse(line)).getAsObject()->getNumber("lr"));
    return all;
  }

  std::vector<double> ratesOf(LrSchedule schedule, int64_t steps) {
    schedule.runSteps = steps;
    std::vector<double> all;
    for (int64_t step = 1; step <= steps; ++step)
      all.push_back(learningRateAt(schedule, step));
    return all;
  }

  bool isSaid(const std::string &line) const { return ("\n" + said).find("\n" + line + "\n") != std::string::npos; }

  std::string said;
};

TEST_F(Schedules, APlansAreTrainedWith) {
  const Ended ended =
      run("autotp-compile @/mlp/model.onnx -o {}/plan --tp 2 --micro-batch 2 --lr 0.25 --lr-schedule cosine "
          "--warmup-steps 2 --min-lr 0.125");
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("\nlr          0.25, cosine over the run's steps, warm-up 2 steps, min lr 0.125\n"),
            std::string::npos)
      << ended.out;
  const LrSchedule cosine{.kind = LrKind::Cosine, .peak = 0.25, .minimum = 0.125, .warmupSteps = 2};
  EXPECT_EQ(rates("--steps 6"), ratesOf(cosine, 6));
  EXPECT_TRUE(isSaid("lr 0.25, cosine over the run's 6 steps, warm-up 2 steps, min lr 0.125")) << said;
  LrSchedule shorter = cosine;
  shorter.decaySteps = 4;
  shorter.minimum = 0;
  EXPECT_EQ(rates("--steps 6 --decay-steps 4 --min-lr 0"), ratesOf(shorter, 6));
  EXPECT_EQ(rates("--steps 4 --lr-schedule linear --lr 0.5"), ratesOf({.kind = LrKind::Linear, .peak = 0.5}, 4));
  EXPECT_EQ(rates("--steps 2 --lr-schedule constant"), (std::vector<double>{0.25, 0.25}));
  EXPECT_FALSE(isSaid("lr 0.25, constant")) << said; // each step's line says it
  EXPECT_EQ(rates("--steps 3 --lr-schedule wsd --decay-steps 2"),
            ratesOf({.kind = LrKind::Wsd, .peak = 0.25, .decaySteps = 2}, 3));
  std::filesystem::remove(folder.path() + "/log.jsonl");
  fails(1, "autotp-run {}/plan --steps 1", "--warmup-steps: the warm-up takes 2 steps, and the whole schedule 1");
  fails(1, "autotp-run {}/plan --min-lr 0.5", "--min-lr: 0.5 is above the learning rate, 0.25");
  fails(1, "autotp-run {}/plan --lr-schedule wsd", "--decay-steps: the schedule wsd does not say");
  succeeds("autotp-plan verify {}/plan");
}

TEST_F(Schedules, DeepSpeedsAreTrainedWith) {
  folder.write("ds.json", R"({"optimizer": {"type": "SGD", "params": {"lr": 0.5}},
                              "scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": 4}}})");
  succeeds("autotp-compile @/mlp/model.onnx -o {}/plan --micro-batch 2 --ds-config {}/ds.json");
  const LrSchedule log{.peak = 0.5, .warmupSteps = 4, .warmupShape = WarmupShape::Log, .isLate = true};
  EXPECT_EQ(rates("--steps 6"), ratesOf(log, 6));
  EXPECT_TRUE(isSaid("lr 0.5, constant, warm-up 4 steps by the logarithm, a step late as in DeepSpeed")) << said;
}

/// transformers' Trainer and DeepSpeed's engine leave the schedule where it is in a step that overflows.
TEST_F(Schedules, AStepThatIsSkippedIsNoneOfTheSchedule) {
  folder.write("ds.json", R"({"fp16": {"enabled": true, "initial_scale_power": 100}})");
  succeeds(
      "autotp-compile @/mlp/model.onnx -o {}/plan --micro-batch 2 --ds-config {}/ds.json --lr 0.5 --warmup-steps 4");
  const std::vector<double> skipped = rates("--steps 3");
  EXPECT_EQ(skipped, (std::vector<double>{0, 0, 0}));
  EXPECT_NE(said.find("skipped: gradients overflow"), std::string::npos) << said;
}

} // namespace
} // namespace autotp::test
