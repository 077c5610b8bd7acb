#include "tests/compiler/certify/trained_plan.h"
#include "runtime/device/cpu/device.h"

#include "runtime/base/error.h"
#include "runtime/execute/executor.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/held_elements.h"

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
  auto created = Executor::create(program, tp, dp, comm, llvm::cantFail(makeCpuDevice(1)));
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
    const plan::Bucket &bucket = program.buckets(int(parameter.bucket()));
    const int64_t begin = int64_t(parameter.bucket_begin());
    const BucketPart part =
        bucketPart(bucket, bucket.parameters(), begin, begin + elementsOf(parameter.tensor()), executor->place());
    std::vector<float> own(size_t(part.end - part.begin));
    executor->download(part.tensor, own.data());
    TrainedPlan::Elements &held = trained.parameters[rank][parameter.name()];
    forEachHeld(parameter, [&](int64_t e, int64_t global, auto) {
      if (begin + e >= part.begin && begin + e < part.end) held[global] = own[size_t(begin + e - part.begin)];
    });
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
      llvm::Error error = runRank(programs[r % size_t(tp)], tp, dp, gradAccum, *comms[r], executors[r], trained);
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

namespace {
/// All ranks' elements together.
std::map<std::string, TrainedPlan::Elements> wholeOf(const TrainedPlan &plan) {
  std::map<std::string, TrainedPlan::Elements> whole;
  for (const auto &rank : plan.parameters)
    for (const auto &[name, elements] : rank)
      whole[name].insert(elements.begin(), elements.end());
  return whole;
}

std::string differenceOf(const TrainedPlan::Elements &got, const TrainedPlan::Elements &wanted) {
  double off = 0, size = 0;
  for (const auto &[element, value] : got) {
    const double right = wanted.at(element);
    off += (value - right) * (value - right);
    size += right * right;
  }
  if (std::sqrt(off) <= 5e-4 * std::sqrt(size) + 1e-12) return "";
  return llvm::formatv("off by {0:e} of {1:e}", std::sqrt(off), std::sqrt(size)).str();
}
} // namespace

std::string differenceOf(const TrainedPlan &plan, const TrainedPlan &sound) {
  if (!plan.failure.empty()) return plan.failure;
  const auto wanted = wholeOf(sound), all = wholeOf(plan);
  for (size_t r = 0; r < sound.losses.size(); ++r) {
    for (size_t s = 0; s < sound.losses[r].size(); ++s)
      if (!(std::fabs(plan.losses[r][s] / sound.losses[r][s] - 1) <= (s == 0 ? 1e-5 : 2e-4)))
        return llvm::formatv("loss of step {0} is {1}, not {2}", s + 1, plan.losses[r][s], sound.losses[r][s]).str();
    for (const auto &[name, elements] : plan.parameters[r])
      if (std::string difference = differenceOf(elements, wanted.at(name)); !difference.empty())
        return name + " on rank " + std::to_string(r) + " is " + difference;
  }
  for (const auto &[name, elements] : wanted) {
    auto at = all.find(name);
    if (at == all.end() || at->second.size() != elements.size()) return "nobody holds some elements of " + name;
  }
  return "";
}

} // namespace autotp::test
