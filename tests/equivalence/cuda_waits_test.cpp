// A plan from which one wait or one collective is taken is refused, or gives wrong numbers.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "runtime/base/error.h"
#include "runtime/device/cuda/device.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/check_world.h"
#include "tests/fixtures/run_fixture.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace autotp::test {
namespace {

constexpr int kTp = 2, kDp = 2;

std::vector<plan::Program> programsOf(const std::string &fixture) {
  CompileOptions options = fixtureOptions(fixture);
  options.memory.device = DeviceKind::Cuda;
  options.step.tp = kTp;
  options.step.dp = kDp;
  options.step.bucketBytes = 100 << 10;
  return llvm::cantFail(compile(options)).ranks.emitted;
}

/// What a loader says of the programs; empty where it takes them.
std::string refusal(const std::vector<plan::Program> &programs) {
  std::vector<const plan::Program *> byTp;
  for (const plan::Program &program : programs) {
    if (llvm::Error error = checkProgram(program, kTp, kDp)) return describe(std::move(error));
    byTp.push_back(&program);
  }
  if (llvm::Error error = checkWorld(byTp)) return describe(std::move(error));
  return "";
}

struct Wait {
  int program, section, step, which;
};
std::vector<Wait> allWaits(const std::vector<plan::Program> &programs) {
  std::vector<Wait> all;
  for (int p = 0; p < int(programs.size()); ++p)
    for (int s = 0; s < programs[size_t(p)].sections_size(); ++s)
      for (int i = 0; i < programs[size_t(p)].sections(s).instructions_size(); ++i)
        for (int w = 0; w < programs[size_t(p)].sections(s).instructions(i).waits_size(); ++w)
          all.push_back({p, s, i, w});
  return all;
}
void remove(std::vector<plan::Program> &programs, const Wait &w) {
  auto *waits = programs[size_t(w.program)].mutable_sections(w.section)->mutable_instructions(w.step)->mutable_waits();
  waits->erase(waits->begin() + w.which);
}

TEST(Waits, APlanWithoutAnyOneOfThemIsRefused) {
  size_t removed = 0;
  for (const char *fixture : {"llama", "gpt2"}) {
    const std::vector<plan::Program> sound = programsOf(fixture);
    ASSERT_EQ(refusal(sound), "");
    for (const Wait &wait : allWaits(sound)) {
      std::vector<plan::Program> programs = sound;
      remove(programs, wait);
      EXPECT_NE(refusal(programs).find("it may run before"), std::string::npos)
          << fixture << ": step " << sound[size_t(wait.program)].sections(wait.section).instructions(wait.step).name();
      ++removed;
    }
  }
  EXPECT_GE(removed, 100u);
}

/// Two steps of training over four ranks on one GPU; the first rank's losses.
std::vector<float> lossesOf(const std::vector<plan::Program> &programs) {
  auto comms = makeLocalCommunicators(kTp * kDp);
  std::vector<std::unique_ptr<Executor>> executors(comms.size()); // all outlive every thread
  std::vector<float> losses;
  std::vector<std::thread> threads;
  for (auto &comm : comms)
    threads.emplace_back([&] {
      const size_t rank = size_t(comm->rank());
      auto &executor = executors[rank];
      executor =
          llvm::cantFail(Executor::create(programs[rank % kTp], kTp, kDp, *comm, llvm::cantFail(makeCudaDevice({}))));
      initialiseWeights(*executor, 7);
      for (int step = 1; step <= 2; ++step) {
        for (const plan::Input &input : executor->program().inputs()) {
          if (input.kind() != plan::FEED) continue;
          std::vector<int64_t> tokens(size_t(elementsOf(input.tensor())));
          for (size_t i = 0; i < tokens.size(); ++i)
            tokens[i] = int64_t(i * 7 % 11 + rank / kTp);
          executor->upload(input.tensor(), tokens.data());
        }
        llvm::cantFail(runStep(*executor, step));
        llvm::cantFail(executor->synchronise());
        if (rank == 0) losses.push_back(executor->scalar("loss"));
      }
      comm->barrier();
    });
  for (std::thread &thread : threads)
    thread.join();
  return losses;
}

/// What the checker says is confirmed: queues run as far apart as events let them, and the numbers show it.
TEST(Waits, ASampleOfRemovedWaitsGivesWrongNumbers) {
  const std::vector<plan::Program> sound = programsOf("llama");
  const std::vector<float> right = lossesOf(sound);
  ASSERT_EQ(lossesOf(sound), right);
  std::vector<Wait> waits = allWaits(sound);
  std::mt19937 random(3);
  std::shuffle(waits.begin(), waits.end(), random);
  int wrong = 0, tried = 0;
  for (const Wait &wait : waits) {
    if (tried == 6) break;
    std::vector<plan::Program> programs = sound;
    remove(programs, wait);
    ++tried;
    wrong += lossesOf(programs) != right;
  }
  EXPECT_GT(wrong, 0) << "of " << tried;
}

TEST(Collectives, APlanWithoutAnyOneOfThemIsRefusedOrWrong) {
  size_t removed = 0, executed = 0;
  for (const char *fixture : {"llama", "gpt2"}) {
    const std::vector<plan::Program> sound = programsOf(fixture);
    const std::vector<float> right = lossesOf(sound);
    for (size_t p = 0; p < sound.size(); ++p)
      for (int s = 0; s < sound[p].sections_size(); ++s)
        for (int i = 0; i < sound[p].sections(s).instructions_size(); ++i) {
          if (!sound[p].sections(s).instructions(i).has_collective()) continue;
          std::vector<plan::Program> programs = sound;
          programs[p].mutable_sections(s)->mutable_instructions()->DeleteSubrange(i, 1);
          ++removed;
          if (!refusal(programs).empty()) continue;
          ++executed;
          EXPECT_NE(lossesOf(programs), right) << fixture << ": " << sound[p].sections(s).instructions(i).name();
        }
  }
  EXPECT_GE(removed, 50u);
}

} // namespace
} // namespace autotp::test
