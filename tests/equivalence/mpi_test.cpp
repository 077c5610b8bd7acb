// Ranks as processes under mpirun give the numbers of ranks as threads.
#include "tests/equivalence/checkpoints.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

namespace autotp::test {
namespace {

void expectClose(const std::vector<double> &a, const std::vector<double> &b, const std::string &what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  double off = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    off += (a[i] - b[i]) * (a[i] - b[i]);
    size += a[i] * a[i];
  }
  EXPECT_LE(std::sqrt(off), 1e-6 * std::sqrt(size)) << what;
}

class UnderMpirun : public testing::TestWithParam<const char *> {};

TEST_P(UnderMpirun, NumbersAreThoseOfThreads) {
  Expected expected = readExpected(GetParam());
  for (const Mesh &mesh : {Mesh{2, 1, 0, 1}, Mesh{2, 2, 2, 1}, Mesh{2, 2, 3, 1}, Mesh{1, 2, 1, 2}, Mesh{3, 1, 0, 1}}) {
    RunAs processes{.launcher = AUTOTP_MPIEXEC + std::string(" ") + std::to_string(mesh.tp * mesh.dp), .comm = "mpi"};
    Trained threads = llvm::cantFail(train(GetParam(), expected, mesh)),
            mpi = llvm::cantFail(train(GetParam(), expected, mesh, processes));
    expectClose(threads.losses, mpi.losses, mesh.text() + " losses");
    // A gradient whose true value is zero (a key's bias) is noise: the norm of all is its measure.
    double norm = 0;
    for (const auto &[name, gradient] : threads.gradients)
      for (double g : gradient)
        norm += g * g;
    ASSERT_EQ(threads.gradients.size(), mpi.gradients.size());
    for (const auto &[name, gradient] : threads.gradients)
      for (size_t i = 0; i < gradient.size(); ++i)
        ASSERT_NEAR(gradient[i], mpi.gradients.at(name)[i], 1e-6 * std::sqrt(norm)) << mesh.text() << " " << name;
    std::vector<std::string> broken = compare(expected, mpi);
    EXPECT_TRUE(broken.empty()) << mesh.text() << ": " << broken.front();
  }
}

/// Where they share memory, which is what they do by themselves on one host, they are the same bits.
TEST_P(UnderMpirun, NumbersInSharedMemoryAreThoseOfThreads) {
  Expected expected = readExpected(GetParam());
  for (const Mesh &mesh : {Mesh{2, 2, 2, 1}, Mesh{3, 1, 0, 1}}) {
    RunAs processes{.launcher = AUTOTP_MPIEXEC + std::string(" ") + std::to_string(mesh.tp * mesh.dp), .comm = "auto"};
    Trained threads = llvm::cantFail(train(GetParam(), expected, mesh)),
            shared = llvm::cantFail(train(GetParam(), expected, mesh, processes));
    EXPECT_EQ(threads.losses, shared.losses) << mesh.text();
    EXPECT_EQ(threads.gradients, shared.gradients) << mesh.text();
    EXPECT_EQ(threads.weights, shared.weights) << mesh.text();
  }
}

TEST(FlagsUnderMpirun, ThatDifferAreRefused) {
  const SavedPlan plan("mlp", {2, 1, 0, 1});
  const std::string printed = plan.folder() + "/printed",
                    run = AUTOTP_BINARY_DIR "/bin/autotp-run " + plan.options().plan + " --comm mpi --steps 1 --quiet";
  const std::string command =
      std::string(AUTOTP_MPIEXEC) + " 1 " + run + " : -n 1 " + run + " --lr 0.5 >" + printed + " 2>&1";
  EXPECT_NE(std::system(command.c_str()), 0);
  const auto text = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(printed)));
  EXPECT_EQ(text->getBuffer().count("error: "), 1u) << text->getBuffer().str();
  EXPECT_TRUE(text->getBuffer().contains("rank 1 has --lr 0.5 (rank 0: no --lr)")) << text->getBuffer().str();
}

constexpr Mesh kFourRanks{2, 2, 2, 1};

/// Runs four processes, and returns the losses in their log, which goes on if they resume.
std::vector<double> runProcesses(const SavedPlan &plan, const std::string &flags) {
  const TrainOptions o = plan.options();
  const std::string log = plan.folder() + "/processes.jsonl";
  const std::string command = std::string(AUTOTP_MPIEXEC) + " 4 " + AUTOTP_BINARY_DIR + "/bin/autotp-run " + o.plan +
                              " --feed " + o.feed + " --threads 1 --quiet --log " + log + " " + flags;
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return readLog(log, "loss");
}

/// Each process reads its part of the model's own file.
TEST(ReferencesUnderMpirun, TrainAsCopies) {
  const SavedPlan copied("llama", kFourRanks), referring("llama", kFourRanks, {.held = WeightsHeld::Referenced});
  EXPECT_FALSE(llvm::sys::fs::exists(referring.options().plan + "/weights"));
  const std::vector<double> losses = runProcesses(copied, "--steps 3");
  EXPECT_EQ(losses.size(), 3u);
  EXPECT_EQ(runProcesses(referring, "--steps 3"), losses);
}

class CheckpointsUnderMpirun : public testing::Test {
protected:
  std::vector<double> run(const std::string &flags) const { return runProcesses(plan, flags); }

  const SavedPlan plan{"llama", kFourRanks};
  const std::string save = plan.folder() + "/checkpoints";
};

/// Each process writes and reads its own part; what goes on is what was not interrupted, bit by bit.
TEST_F(CheckpointsUnderMpirun, GoOn) {
  const std::vector<double> whole = run("--steps 5");
  run("--steps 3 --save-async --save " + save);
  EXPECT_EQ(run("--steps 5 --resume auto --keep 1 --save " + save), whole);
  expectLoadsExactly(plan.options().plan, save + "/step-5");
}

/// One process finds the byte that was changed, and all of them go on from the checkpoint before.
TEST_F(CheckpointsUnderMpirun, PassOverADamagedOneTogether) {
  std::vector<double> losses = run("--steps 5 --save-every 1 --save " + save);
  std::fstream file(save + "/step-5/exp_avg-00002.safetensors", std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-3, std::ios::end).put('\1');
  file.close();
  losses.push_back(losses[4]);
  EXPECT_EQ(run("--steps 5 --resume auto --save " + save), losses);
  expectLoadsExactly(plan.options().plan, save + "/step-5");
}

/// Open MPI gives rank 0 a terminal of its own, whatever mpirun writes to.
TEST(ProgressUnderMpirun, IsPlainLines) {
  const SavedPlan plan("mlp", {2, 1, 0, 1});
  const std::string printed = plan.folder() + "/printed";
  const std::string command = std::string(AUTOTP_MPIEXEC) + " 2 " + AUTOTP_BINARY_DIR + "/bin/autotp-run " +
                              plan.options().plan + " --feed " + plan.options().feed + " --steps 2 >" + printed;
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto text = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(printed)));
  EXPECT_TRUE(text->getBuffer().contains("step 2/2 loss"));
  for (char control : {'\x1b', '['})
    EXPECT_FALSE(text->getBuffer().contains(control)) << text->getBuffer().str();
}

INSTANTIATE_TEST_SUITE_P(Equivalence, UnderMpirun, testing::Values("llama", "gpt2"));

} // namespace
} // namespace autotp::test
