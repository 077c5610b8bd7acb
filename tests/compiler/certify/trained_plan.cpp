#include "tests/compiler/certify/trained_plan.h"
#include "runtime/device/cpu/device.h"

#include "runtime/base/error.h"
#include "runtime/base/small_floats.h"
#include "runtime/execute/executor.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/held_elements.h"

#include <cmath>
#include <cstring>
#include <mutex>
#include <thread>

namespace autotp::test {
namespace {

std::vector<float> floatsOf(const std::vector<char> &bytes, DType dtype) {
  std::vector<float> values(bytes.size() / sizeOf(dtype));
  if (dtype == DType::F32) std::memcpy(values.data(), bytes.data(), bytes.size());
  for (size_t i = 0; dtype != DType::F32 && i < values.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes.data() + i * sizeof bits, sizeof bits);
    values[i] = dtype == DType::BF16 ? bf16ToFloat(bits) : float(halfToDouble(bits));
  }
  return values;
}

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

/// What a rank has of a parameter in one of its bucket's tensors.
TrainedPlan::Held heldIn(const Executor &executor, const plan::Parameter &parameter, const plan::TensorRef &flat) {
  const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
  const int64_t begin = int64_t(parameter.bucket_begin());
  const BucketPart part = bucketPart(bucket, flat, begin, begin + elementsOf(parameter.tensor()), executor.place());
  const size_t elements = size_t(std::max<int64_t>(0, part.end - part.begin));
  std::vector<char> bytes(elements * sizeOf(DType(flat.dtype())));
  executor.download(part.tensor, bytes.data());
  TrainedPlan::Held held;
  held.elements.reserve(elements);
  forEachHeld(parameter, [&](int64_t e, int64_t global, auto) {
    if (begin + e >= part.begin && begin + e < part.end) held.elements.push_back(global);
  });
  held.values = floatsOf(bytes, DType(flat.dtype()));
  return held;
}

llvm::Error runRank(const plan::Program &program, int64_t tp, int64_t dp, int64_t gradAccum, Communicator &comm,
                    std::unique_ptr<Executor> &executor, TrainedPlan &trained) {
  auto created = Executor::create(program, tp, dp, comm, llvm::cantFail(makeCpuDevice(1)));
  if (!created) return created.takeError();
  executor = std::move(*created);
  initialiseWeights(*executor, 7);
  const size_t rank = size_t(comm.rank());
  for (int step = 1; step <= 2; ++step) {
    auto runMicroBatches = [&](llvm::ArrayRef<const char *> sections) -> llvm::Error {
      executor->zeroAccumulators();
      for (const char *section : sections)
        for (int64_t micro = 0; micro < gradAccum && executor->has(section); ++micro) {
          feed(*executor, (step * dp + executor->dpRank()) * gradAccum + micro);
          if (llvm::Error error = executor->run(section)) return error;
        }
      return llvm::Error::success();
    };
    if (llvm::Error error = runMicroBatches({"batch_statistics", "evaluate"})) return error;
    for (const char *sum : {"loss_sum", "count"})
      trained.losses[rank].push_back(executor->scalar(sum));
    if (llvm::Error error = runMicroBatches({"batch_statistics", "micro_step"})) return error;
    executor->setScalar("learning_rate", 1e-3f);
    executor->setScalar("step", float(step));
    if (llvm::Error error = executor->run("optimizer_step")) return error;
    trained.losses[rank].push_back(executor->scalar("loss"));
  }
  trained.lossScales[rank] = executor->scalar("loss_scale");
  for (const plan::Parameter &parameter : program.parameters()) {
    const plan::Bucket &bucket = program.buckets(int(parameter.bucket()));
    trained.parameters[rank][parameter.name()] = heldIn(*executor, parameter, bucket.parameters());
    if (bucket.has_master())
      trained.parameters[rank][parameter.name() + ", master"] = heldIn(*executor, parameter, bucket.master());
  }
  if (!comm.barrier()) return problem("another rank", "it has failed");
  return llvm::Error::success();
}

} // namespace

TrainedPlan trainTwice(const Programs &programs, int64_t tp, int64_t dp, int64_t gradAccum) {
  const size_t ranks = size_t(tp * dp);
  TrainedPlan trained;
  trained.losses.resize(ranks);
  trained.lossScales.resize(ranks);
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

WholeParameters wholeOf(const TrainedPlan &plan) {
  WholeParameters whole;
  for (const auto &rank : plan.parameters)
    for (const auto &[name, held] : rank)
      for (size_t i = 0; i < held.elements.size(); ++i) {
        std::vector<float> &all = whole[name];
        if (all.size() <= size_t(held.elements[i])) all.resize(size_t(held.elements[i]) + 1, NAN);
        all[size_t(held.elements[i])] = held.values[i];
      }
  return whole;
}

namespace {
std::string differenceOf(const TrainedPlan::Held &got, const std::vector<float> &wanted) {
  double off = 0, size = 0;
  for (size_t i = 0; i < got.elements.size(); ++i) {
    const double right = wanted.at(size_t(got.elements[i])), value = got.values[i];
    off += (value - right) * (value - right);
    size += right * right;
  }
  if (std::sqrt(off) <= 5e-4 * std::sqrt(size) + 1e-12) return "";
  return llvm::formatv("off by {0:e} of {1:e}", std::sqrt(off), std::sqrt(size)).str();
}

/// Whether some rank holds each element.
bool isAllHeld(const TrainedPlan &plan, const std::string &name, size_t elements) {
  std::vector<bool> isHeld(elements, false);
  for (const auto &rank : plan.parameters)
    if (auto at = rank.find(name); at != rank.end())
      for (int64_t element : at->second.elements)
        isHeld.at(size_t(element)) = true;
  return llvm::all_of(isHeld, [](bool held) { return held; });
}
} // namespace

std::string differenceOf(const TrainedPlan &plan, const TrainedPlan &sound, const WholeParameters &whole) {
  if (!plan.failure.empty()) return plan.failure;
  constexpr const char *kLosses[] = {"the evaluation's sum", "the evaluation's count", "the loss"};
  for (size_t r = 0; r < sound.losses.size(); ++r) {
    for (size_t s = 0; s < sound.losses[r].size(); ++s)
      if (!(std::fabs(plan.losses[r][s] / sound.losses[r][s] - 1) <= (s < 3 ? 1e-5 : 2e-4)))
        return llvm::formatv("{0} of step {1} is {2}, not {3}", kLosses[s % 3], s / 3 + 1, plan.losses[r][s],
                             sound.losses[r][s])
            .str();
    if (plan.lossScales[r] != sound.lossScales[r])
      return llvm::formatv("the loss scale on rank {0} is {1}, not {2}", r, plan.lossScales[r], sound.lossScales[r]);
    for (const auto &[name, held] : plan.parameters[r])
      if (std::string difference = differenceOf(held, whole.at(name)); !difference.empty())
        return name + " on rank " + std::to_string(r) + " is " + difference;
  }
  for (const auto &[name, elements] : whole)
    if (!isAllHeld(plan, name, elements.size())) return "nobody holds some elements of " + name;
  return "";
}

} // namespace autotp::test
