// Single faults in plans: the certificate refuses each, or running it shows that it does no harm.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/check_world.h"
#include "tests/compiler/certify/trained_plan.h"
#include "tests/fixtures/run_fixture.h"

#include <cstring>
#include <gtest/gtest.h>

namespace autotp::test {
namespace {

struct Subject {
  const char *fixture;
  int tp, dp, zero, gradAccum;
  bool sequenceParallel = false;
  OptimizerKind optimizer = OptimizerKind::AdamW;
  DType dtype = DType::F32;
  double lossScale = 65536;
};
/// Gradients of the first step are infinite in f16, those of the second are not: one step is skipped.
constexpr double kOverflowing = 0x1p18;
/// Uneven heads, shared KV heads, every ZeRO stage, accumulation, parts of the sequence; every optimizer, those of
/// training graphs, and a backward that the model brings; small floats, and steps that are skipped; batch statistics.
constexpr Subject kSubjects[] = {
    {"llama", 2, 2, 2, 2},
    {"gpt2", 2, 2, 1, 1},
    {"llama", 8, 1, 2, 1},
    {"mlp", 3, 2, 0, 2},
    {"nanogpt", 3, 2, 2, 1},
    {"gpt2", 4, 1, 2, 1, /*sequenceParallel=*/true},
    {"mlp", 2, 2, 2, 1, false, OptimizerKind::Momentum},
    {"mlp", 2, 2, 1, 1, false, OptimizerKind::Adagrad},
    {"mlp", 2, 1, 0, 1, false, OptimizerKind::Sgd},
    {"training-info-mlp", 2, 2, 2, 1},
    {"training-info-mlp-momentum", 2, 2, 1, 1},
    {"ort-artifacts-llama", 2, 2, 2, 1},
    {"llama", 2, 2, 3, 2},
    {"nanogpt", 2, 2, 3, 1},
    {"gpt2", 2, 2, 0, 1, /*sequenceParallel=*/true},
    {"qwen3", 2, 2, 2, 1},
    {"bert-mlm", 2, 2, 1, 2},
    {"llama", 2, 2, 2, 1, false, OptimizerKind::AdamW, DType::BF16},
    {"mlp", 3, 2, 0, 2, false, OptimizerKind::Adagrad, DType::BF16},
    {"gpt2", 2, 2, 3, 1, /*sequenceParallel=*/true, OptimizerKind::AdamW, DType::BF16},
    {"llama", 2, 2, 1, 2, false, OptimizerKind::AdamW, DType::F16},
    {"mlp", 2, 2, 3, 1, false, OptimizerKind::Momentum, DType::F16, kOverflowing},
    {"training-info-mlp", 2, 2, 2, 1, false, OptimizerKind::AdamW, DType::F16, kOverflowing},
    {"tests/fixtures/losses/two_means", 2, 2, 2, 2},
    {"tests/fixtures/losses/mean_and_masked", 1, 2, 0, 1},
};

struct Sound {
  Subject subject;
  CompileOptions options;
  CompiledModel compiled;
  TrainedPlan trained;
  WholeParameters whole;
};

Sound soundPlanOf(const Subject &subject) {
  Sound sound{subject, fixtureOptions(subject.fixture), {}, {}, {}};
  StepOptions &step = sound.options.step;
  step.tp = subject.tp;
  step.dp = subject.dp;
  step.zero = subject.zero;
  step.gradAccum = subject.gradAccum;
  step.bucketBytes = 100 << 10;
  step.lossScale.initial = subject.lossScale;
  sound.options.sequenceParallel = subject.sequenceParallel;
  sound.options.dtype = subject.dtype;
  step.optimizer = defaultsOf(subject.optimizer);
  step.optimizer.weightDecay = 0.1;
  step.optimizer.dampening = step.optimizer.lrDecay = step.optimizer.initialAccumulator = 0.5;
  // Below the norms here, so that a wrong norm shows; without, a wrong divisor does.
  step.optimizer.clipGradNorm = subject.dtype == DType::F16 ? 0 : 0.1;
  sound.compiled = llvm::cantFail(compile(sound.options));
  sound.trained = trainTwice(sound.compiled.ranks.emitted, subject.tp, subject.dp, subject.gradAccum);
  sound.whole = wholeOf(sound.trained);
  return sound;
}

std::vector<const plan::Program *> pointers(const Programs &programs) {
  std::vector<const plan::Program *> all;
  for (const plan::Program &program : programs)
    all.push_back(&program);
  return all;
}

/// What the certificate says; empty: proven.
std::string refusal(const Sound &sound, const Programs &programs) {
  llvm::Expected<Certificate> certificate =
      certify(sound.compiled.graph, pointers(programs), certifyOptions(sound.options.step, sound.compiled));
  return certificate ? "" : describe(certificate.takeError());
}

/// Whether ranks could start at all: others would wait for ever.
bool canRun(const Sound &sound, const Programs &programs) {
  for (const plan::Program &program : programs)
    if (llvm::Error error = checkProgram(program, sound.subject.tp, sound.subject.dp)) {
      llvm::consumeError(std::move(error));
      return false;
    }
  llvm::Error error = checkWorld(pointers(programs));
  const bool isSound = !error;
  llvm::consumeError(std::move(error));
  return isSound;
}

/// Every rank that holds an element ends with the same bits of it.
TEST(TrainedPlans, ReplicasStayBitwiseEqual) {
  for (const Subject &subject : kSubjects) {
    const Sound sound = soundPlanOf(subject);
    ASSERT_EQ(sound.trained.failure, "");
    std::map<std::pair<std::string, int64_t>, float> first;
    int64_t compared = 0;
    for (const auto &rank : sound.trained.parameters)
      for (const auto &[name, held] : rank)
        for (size_t i = 0; i < held.elements.size(); ++i) {
          auto [at, isNew] = first.try_emplace({name, held.elements[i]}, held.values[i]);
          EXPECT_EQ(std::memcmp(&at->second, &held.values[i], sizeof(float)), 0) << subject.fixture << " " << name;
          compared += !isNew;
        }
    EXPECT_GT(compared, 0) << subject.fixture;
  }
}

struct Counts {
  int tried = 0, caught = 0, caughtHarmful = 0, harmless = 0, missed = 0;
};

class Mutations {
public:
  explicit Mutations(bool runsCaught) : runsCaught_(runsCaught) {}

  void tryOne(const Sound &sound, const MutationKind &kind, unsigned seed, Counts &counts) {
    std::mt19937 random(seed);
    Programs programs = sound.compiled.ranks.emitted;
    std::string where;
    if (!kind.apply(programs, random, where)) return;
    if (!kind.keepsEvents) orderAnew(programs, sound.subject.dp);
    ++counts.tried;
    const std::string said = refusal(sound, programs);
    counts.caught += !said.empty();
    if (!said.empty() && (!runsCaught_ || kind.mayCrash)) return;
    const std::string harm = harmOf(sound, programs);
    if (!said.empty()) counts.caughtHarmful += !harm.empty();
    if (!said.empty()) return;
    ++(harm.empty() ? counts.harmless : counts.missed);
    EXPECT_EQ(harm, "") << sound.subject.fixture << " tp " << sound.subject.tp << ", " << kind.name << " (seed " << seed
                        << "): " << where;
  }

private:
  static std::string harmOf(const Sound &sound, const Programs &programs) {
    if (!canRun(sound, programs)) return "the loader refuses it";
    return differenceOf(trainTwice(programs, sound.subject.tp, sound.subject.dp, sound.subject.gradAccum),
                        sound.trained, sound.whole);
  }
  bool runsCaught_;
};

/// `rounds` faults of each kind in each subject.
void mutate(unsigned rounds, bool runsCaught) {
  std::vector<Sound> all;
  for (const Subject &subject : kSubjects) {
    all.push_back(soundPlanOf(subject));
    ASSERT_EQ(all.back().trained.failure, "");
    ASSERT_EQ(refusal(all.back(), all.back().compiled.ranks.emitted), "");
    if (subject.lossScale == kOverflowing) {
      EXPECT_EQ(all.back().trained.lossScales[0], kOverflowing / 2);
    }
  }
  Counts sum;
  Mutations mutations(runsCaught);
  printf("%-30s %6s %6s %8s %8s %6s\n", "fault", "tried", "caught", "harmful", "harmless", "missed");
  auto row = [](const char *name, const Counts &c) {
    printf("%-30s %6d %6d %8d %8d %6d\n", name, c.tried, c.caught, c.caughtHarmful, c.harmless, c.missed);
  };
  for (const MutationKind &kind : mutationKinds()) {
    Counts counts;
    for (unsigned round = 0; round < rounds; ++round)
      for (size_t s = 0; s < all.size(); ++s)
        mutations.tryOne(all[s], kind, 1000 * round + unsigned(s), counts);
    row(kind.name, counts);
    EXPECT_GT(counts.tried, 0) << kind.name;
    sum.tried += counts.tried;
    sum.caught += counts.caught;
    sum.caughtHarmful += counts.caughtHarmful;
    sum.harmless += counts.harmless;
    sum.missed += counts.missed;
  }
  row("all", sum);
  EXPECT_GE(sum.tried, 300);
  EXPECT_EQ(sum.missed, 0);
  const int harmful = sum.caughtHarmful + sum.missed;
  if (runsCaught)
    printf("catch rate: %.1f %% of %d harmful faults\n", harmful ? 100.0 * sum.caughtHarmful / harmful : 100.0,
           harmful);
}

TEST(Mutations, EveryHarmfulFaultIsCaught) { mutate(3, /*runsCaught=*/true); }
TEST(FullMatrixOfMutations, EveryHarmfulFaultIsCaught) { mutate(40, /*runsCaught=*/false); }

} // namespace
} // namespace autotp::test
