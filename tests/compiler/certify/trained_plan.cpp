#include "tests/compiler/certify/trained_plan.h"

#include "runtime/base/error.h"
#include "runtime/execute/executor.h"
#include "runtime/plan/dtype.h"

#include <cmath>
#include <mutex>
#include <thread>

namespace autotp::test {
namespace {

/// Rows that differ between steps, micro-steps and dp ranks.
void feed(Executor &executor, int64_t seed) {
  for (const plan::Input &input : executor.program().inputs()) {
    if (input.kind() != plan::FEED) continue;
    const size_t n = size_t(elementsOf(input.tensor()));
    std::vector<int64_t> tokens(n);
    std::vector<float> numbers(n);
    for (size_t i = 0; i < n; ++i) {
      tokens[i] = int64_t((i * 7 + size_t(seed) * 3) % 10);
      numbers[i] = float((i * 13 + size_t(seed) * 5) % 17) / 17 - 0.5f;
    }
    const bool isFloating = isFloat(DType(input.tensor().dtype()));
    executor.upload(input.tensor(), isFloating ? static_cast<const void *>(numbers.data()) : tokens.data());
  }
}

llvm::Error runRank(const plan::Program &program, int64_t tp, int64_t dp, int64_t gradAccum, Communicator &comm,
                    std::unique_ptr<Executor> &executor, TrainedPlan &trained) {
  auto created = Executor::create(program, tp, dp, comm, makeCpuDevice(1));
  if (!created) return created.takeError();
  executor = std::move(*created);
  initialiseWeights(*executor, 7);
  const size_t rank = size_t(comm.rank());
  for (int step = 1; step <= 2; ++step) {
    executor->zeroAccumulators();
    for (int64_t micro = 0; micro < gradAccum; ++micro) {
      feed(*executor, (step * dp + executor->dpRank()) * gradAccum + micro);
      if (llvm::Error error = executor->run("micro_step")) return error;
    }
    executor->setScalar("learning_rate", 1e-3f);
    executor->setScalar("step", float(step));
    if (llvm::Error error = executor->run("optimizer_step")) return error;
    trained.losses[rank].push_back(executor->scalar("loss"));
  }
  for (const plan::Parameter &parameter : program.parameters()) {
    trained.parameters[rank].emplace_back(size_t(elementsOf(parameter.tensor())));
    executor->download(parameter.tensor(), trained.parameters[rank].back().data());
  }
  if (!comm.barrier()) return problem("another rank", "it has failed");
  return llvm::Error::success();
}

} // namespace

TrainedPlan trainTwice(const Programs &programs, int64_t tp, int64_t dp, int64_t gradAccum) {
  const size_t ranks = size_t(tp * dp);
  TrainedPlan trained;
  trained.losses.resize(ranks);
  trained.parameters.resize(ranks);
  auto comms = makeLocalCommunicators(int(ranks));
  std::vector<std::unique_ptr<Executor>> executors(ranks); // all outlive every thread
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (size_t r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      llvm::Error error =
          runRank(programs[r % size_t(tp)], tp, dp, gradAccum, *comms[r], executors[r], trained);
      if (!error) return;
      std::string text = describe(std::move(error));
      comms[r]->abort();
      std::lock_guard lock(mutex);
      if (trained.failure.empty()) trained.failure = text;
    });
  for (std::thread &thread : threads)
    thread.join();
  return trained;
}

std::string differenceOf(const TrainedPlan &plan, const TrainedPlan &sound) {
  if (!plan.failure.empty()) return plan.failure;
  for (size_t r = 0; r < sound.losses.size(); ++r) {
    for (size_t s = 0; s < sound.losses[r].size(); ++s)
      if (!(std::fabs(plan.losses[r][s] / sound.losses[r][s] - 1) <= (s == 0 ? 1e-5 : 2e-4)))
        return llvm::formatv("loss of step {0} is {1}, not {2}", s + 1, plan.losses[r][s], sound.losses[r][s]).str();
    for (size_t p = 0; p < sound.parameters[r].size(); ++p) {
      double off = 0, size = 0;
      for (size_t i = 0; i < sound.parameters[r][p].size(); ++i) {
        const double wanted = sound.parameters[r][p][i], got = plan.parameters[r][p][i];
        off += (got - wanted) * (got - wanted);
        size += wanted * wanted;
      }
      if (!(std::sqrt(off) <= 5e-4 * std::sqrt(size) + 1e-12))
        return llvm::formatv("parameter {0} of rank {1} is off by {2:e} of {3:e}", p, r, std::sqrt(off),
                             std::sqrt(size))
            .str();
    }
  }
  return "";
}

} // namespace autotp::test
