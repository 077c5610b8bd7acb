#include "runtime/train/rank.h"

#include "runtime/base/error.h"
#include "runtime/checkpoint/find_checkpoint.h"
#include "runtime/device/cpu/device.h"
#include "runtime/device/cuda/device.h"
#include "runtime/train/gather_parameters.h"
#include "runtime/train/job.h"
#include "runtime/train/non_finite.h"

#include <cmath>
#include <future>
#include <numeric>
#include <thread>

namespace autotp {

int gpuOf(int rankOnHost) { return rankOnHost % std::max(1, countGpus()); }

bool hasOutput(const plan::Program &program, llvm::StringRef name) {
  return llvm::any_of(program.outputs(), [&](const plan::Output &output) { return output.name() == name; });
}

bool hasOwnRate(const plan::Program &program) { return hasOutput(program, "learning_rate"); }

Rank::Rank(Job &job, Communicator &comm) : job_(job), comm_(comm) {}

Rank::~Rank() {
  if (executor_) executor_->releaseGraphs();
}

llvm::Error Rank::run() {
  if (llvm::Error error = load()) return error;
  if (isPassedOver_) return llvm::Error::success();
  for (int64_t step = firstStep_; step <= job_.options.steps && !isStopping_; ++step) {
    comm_.note(Activity::Training, step);
    if (llvm::Error error = runStep(step)) return error;
    if (llvm::Error error = endStep(step)) return error;
    if (isEvaluatedAfter(step))
      if (llvm::Error error = evaluate(step)) return error;
  }
  comm_.note(Activity::Ending, 0);
  if (job_.options.saveWeights.empty()) return llvm::Error::success();
  return gather(job_.options.saveWeights, Gathered::Weights);
}

llvm::Error Rank::load() {
  comm_.note(Activity::Loading, 0);
  const Manifest &manifest = job_.manifest;
  const plan::Program &program = job_.programOf(comm_.rank());
  llvm::Expected<std::unique_ptr<Device>> device = makeDevice();
  if (!device) return device.takeError();
  llvm::Expected<std::unique_ptr<Executor>> executor =
      Executor::create(program, manifest.tp, manifest.dp, comm_, std::move(*device));
  if (!executor) return executor.takeError();
  executor_ = std::move(*executor);
  for (size_t i = 0; i < manifest.inputs.size(); ++i)
    if (const plan::Input *input =
            executor_->input(manifest.inputs[i].name)) // otherwise nothing in the program reads it
      feeds_.push_back({i, input->tensor(), std::vector<std::byte>(executor_->bytes(input->tensor()).size())});
  for (const plan::Input &input : program.inputs())
    if (input.kind() == plan::RANDOM_COUNTER) randomCounter_ = &input.tensor();
  for (const plan::State &state : program.states())
    if (state.name() == "loss_scale") lossScale_ = &state;
  if (llvm::Error error = joinWorld()) return error;
  const TrainOptions &o = job_.options;
  if (!o.save.empty())
    saver_ = std::make_unique<CheckpointSaver>(
        *executor_, *world_, comm_.rank(), job_.byTp(),
        SaveOptions{o.save, o.keep, o.savesAsync, job_.damaged, [this] { return comm_.hasEnded(0); }});
  return job_.resumed ? resume(*job_.resumed) : fillParameters();
}

llvm::Expected<std::unique_ptr<Device>> Rank::makeDevice() const {
  if (job_.manifest.device == "cuda") return makeCudaDevice({gpuOf(comm_.rankOnHost()), job_.options.allowsTf32});
  int threads = job_.options.threads ? job_.options.threads
                                     : std::max(1, int(std::thread::hardware_concurrency()) / comm_.ranksOnHost());
  return makeCpuDevice(threads, job_.options.instructionSet);
}

llvm::Error Rank::joinWorld() {
  std::vector<int> all(size_t(comm_.size()));
  std::iota(all.begin(), all.end(), 0);
  llvm::Expected<std::unique_ptr<Group>> world = comm_.group(all, executor_->device());
  if (!world) return world.takeError();
  world_ = std::move(*world);
  return llvm::Error::success();
}

llvm::Error Rank::fillParameters() {
  if (job_.referenced) {
    std::future<llvm::Error> checking = std::async(std::launch::async, [this] { // beside the copies
      return job_.referenced->verify(size_t(comm_.rank()), size_t(comm_.size()));
    });
    llvm::Error error = job_.referenced->fill(*executor_);
    return llvm::joinErrors(checking.get(), std::move(error));
  }
  if (job_.manifest.weightsKind != "copy") {
    initialiseWeights(*executor_, job_.seed());
    return llvm::Error::success();
  }
  const Manifest::File &file = job_.manifest.weights[size_t(executor_->tpRank())];
  // Threads of one tp rank read one file, which the first of them checks.
  const bool isChecked = job_.hasAllRanks && executor_->dpRank() > 0;
  return loadWeights(*executor_, job_.options.plan + "/" + file.path,
                     isChecked ? std::nullopt : std::optional<llvm::StringRef>(file.digest));
}

/// The program's own loss scale may come from the checkpoint or not, and with it the steps that it has skipped.
llvm::Error Rank::resume(const CheckpointReader &reader) {
  llvm::Expected<std::vector<std::string>> changed = restore(*executor_, *world_, comm_.rank(), reader);
  if (!changed) return changed.takeError();
  // If this one was named, rank 0 says it, which ends the others.
  if (llvm::Error error = job_.isChosen || comm_.rank() == 0 ? reader.areChanged(*changed) : llvm::Error::success()) {
    if (!job_.isChosen) return error;
    job_.passOver(reader.folder(), inOneLine(std::move(error)));
    isPassedOver_ = true;
    return llvm::Error::success();
  }
  const Checkpoint &facts = reader.facts();
  firstStep_ = facts.step + 1;
  firstRow_ = facts.rows;
  skipped_ = skippedElsewhere_ = facts.skippedSteps;
  if (lossScale_) {
    float scaleGoodSkippedLeft[4] = {};
    executor_->download(lossScale_->tensor(), scaleGoodSkippedLeft);
    skippedElsewhere_ -= int64_t(scaleGoodSkippedLeft[2]);
  }
  return llvm::Error::success();
}

int64_t Rank::rowsBefore(int64_t step) const { return firstRow_ + (step - firstStep_) * job_.globalBatch(); }

int64_t Rank::firstInBatch(int64_t microStep) const {
  return (executor_->dpRank() * job_.manifest.gradAccum + microStep) * job_.manifest.microBatch;
}

/// Feeds a micro-step: row i is row (dp_rank * grad_accum + micro_step) * micro_batch + i of the global batch.
llvm::Error Rank::feed(const BatchRows &rows, int64_t microStep) {
  const Manifest &manifest = job_.manifest;
  for (Feed &feed : feeds_) {
    const bool isBatched = manifest.inputs[feed.input].isBatched;
    const int64_t count = isBatched ? manifest.microBatch : 1;
    const int64_t begin = isBatched ? rows.first + firstInBatch(microStep) : rows.whole;
    const size_t rowBytes = feed.rows.size() / size_t(count);
    for (int64_t row = 0; row < count; ++row)
      if (llvm::Error error =
              rows.source.fill(begin + row, feed.input, std::span(feed.rows).subspan(size_t(row) * rowBytes, rowBytes)))
        return error;
    executor_->upload(feed.tensor, feed.rows.data());
  }
  return llvm::Error::success();
}

llvm::Error Rank::feedStep(int64_t step, int64_t microStep) {
  if (randomCounter_) {
    const int64_t seedStepRow[3] = {job_.seed(), step, firstInBatch(microStep)};
    executor_->upload(*randomCounter_, seedStepRow);
  }
  return feed({*job_.source, rowsBefore(step), step - 1}, microStep);
}

llvm::Error Rank::runMicroBatches(llvm::StringRef section, llvm::function_ref<llvm::Error(int64_t)> feed) {
  for (int64_t micro = 0; executor_->has(section) && micro < job_.manifest.gradAccum; ++micro) {
    if (llvm::Error error = feed(micro)) return error;
    if (llvm::Error error = executor_->run(section)) return error;
  }
  return llvm::Error::success();
}

/// With f16, a step that is not finite is skipped, and the loss scale halved, unless it shall end the run. The schedule of
/// the learning rate does not count it, nor do transformers' Trainer and DeepSpeed's engine.
llvm::Error Rank::checkFinite(int64_t step) {
  const double loss = double(executor_->scalar("loss")), norm = double(executor_->scalar("grad_norm"));
  skipped_ += !std::isfinite(norm);
  const bool isSkipped = lossScale_ && !job_.options.checksFinite;
  if (isSkipped || (std::isfinite(loss) && std::isfinite(norm))) return llvm::Error::success();
  if (lossScale_) executor_->upload(lossScale_->tensor(), lossScaleBefore_.data()); // what overflowed does so again
  auto feedAgain = [&](int64_t micro) { return feedStep(step, micro); };
  auto programOf = [&](int rank) -> const plan::Program & { return job_.programOf(rank); };
  return explainNonFinite(
      *executor_, *world_,
      {step, job_.manifest.gradAccum, loss, norm, comm_.rank(), lossScale_ != nullptr, feedAgain, programOf});
}

/// Captures after the first step, when every section has run once, as captureSections() needs.
llvm::Error Rank::runStep(int64_t step) {
  auto begin = std::chrono::steady_clock::now();
  executor_->zeroAccumulators();
  for (llvm::StringRef section : {"batch_statistics", "micro_step"})
    if (llvm::Error error = runMicroBatches(section, [&](int64_t micro) { return feedStep(step, micro); }))
      return error;
  double lr = learningRateAt(job_.lr, step - skipped_);
  executor_->setScalar("learning_rate", float(lr));
  executor_->setScalar("step", float(step - skippedElsewhere_));
  if (lossScale_ && job_.options.checksFinite) executor_->download(lossScale_->tensor(), lossScaleBefore_.data());
  if (llvm::Error error = executor_->run("optimizer_step")) return error;
  if (llvm::Error error = executor_->synchronise()) return error;
  if (comm_.hasFailed()) {
    const std::string failure = comm_.failure();
    return problem("step " + std::to_string(step), failure.empty() ? "another rank has failed" : failure);
  }
  if (llvm::Error error = checkFinite(step)) return error;
  if (step == firstStep_)
    if (llvm::Error error = executor_->captureSections()) return error;
  if (step == firstStep_ && !job_.options.dumpGradients.empty())
    if (llvm::Error error = gather(job_.options.dumpGradients, Gathered::Gradients)) return error;
  if (hasOwnRate(executor_->program())) lr = double(executor_->scalar("learning_rate"));
  if (comm_.rank() != 0) return llvm::Error::success();
  return report(step, lr, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

llvm::Error Rank::report(int64_t step, double lr, double seconds) {
  const Manifest &manifest = job_.manifest;
  int64_t tokens = 0;
  for (const Manifest::Input &input : manifest.inputs) {
    int64_t elements = manifest.gradAccum * manifest.dp;
    for (int64_t d : input.shape)
      elements *= d;
    if (input.role == "tokens") tokens += elements; // an encoder and a decoder have some each
  }
  if (tokens == 0) tokens = job_.globalBatch(); // without tokens, samples are counted
  StepReport report{step,
                    job_.options.steps,
                    executor_->scalar("loss"),
                    executor_->scalar("grad_norm"),
                    lr,
                    double(tokens) / seconds,
                    seconds * 1e3,
                    executor_->arenaBytes(),
                    executor_->scalar("loss_scale")};
  report.tflops = manifest.modelFlops / 1e12 / seconds / double(comm_.size());
  if (job_.options.peakTflops > 0) report.mfu = report.tflops / job_.options.peakTflops;
  return job_.progress->report(report);
}

bool Rank::isEvaluatedAfter(int64_t step) const {
  return job_.evaluated && !isStopping_ && (step % job_.options.evalEvery == 0 || step == job_.options.steps);
}

/// The mean over all labels of the evaluated samples, whichever batch they are in.
llvm::Error Rank::evaluate(int64_t step) {
  comm_.note(Activity::Evaluating, step);
  const auto begin = std::chrono::steady_clock::now();
  double lossSum = 0, count = 0;
  for (int64_t batch = 0; batch < job_.options.evalSteps; ++batch) {
    const BatchRows rows{*job_.evaluated, batch * job_.globalBatch(), batch};
    executor_->zeroAccumulators();
    for (llvm::StringRef section : {llvm::StringRef("batch_statistics"), llvm::StringRef(kEvaluate)})
      if (llvm::Error error = runMicroBatches(section, [&](int64_t micro) { return feed(rows, micro); })) return error;
    if (llvm::Error error = executor_->synchronise()) return error;
    std::vector<float> sums = {executor_->scalar("loss_sum"), executor_->scalar("count")}; // equal on all tp ranks
    if (llvm::Error error = executor_->sumIntoAll(*world_, sums)) return error;
    lossSum += double(sums[0]);
    count += double(sums[1]);
  }
  if (llvm::Error error = executor_->captureSections()) return error; // the first time
  if (comm_.rank() != 0) return llvm::Error::success();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  return job_.progress->report(
      EvaluationReport{step, lossSum / count, job_.options.evalSteps * job_.globalBatch(), took.count()});
}

bool Rank::wantsToStop() const {
  if (job_.signals.received()) return true;
  const std::chrono::duration<double, std::ratio<60>> minutes = std::chrono::steady_clock::now() - begun_;
  return job_.options.maxMinutes > 0 && minutes.count() >= job_.options.maxMinutes;
}

/// Ranks agree on whether this was the last step, and on whether a checkpoint that is being written is complete.
llvm::Error Rank::endStep(int64_t step) {
  std::vector<float> agreed = {float(wantsToStop()), float(saver_ && saver_->isWriting() && saver_->hasWritten())};
  if (llvm::Error error = executor_->sumIntoAll(*world_, agreed)) return error;
  const TrainOptions &o = job_.options;
  isStopping_ = agreed[0] > 0;
  const bool isLast = isStopping_ || step == o.steps;
  if (saver_ && agreed[1] == float(comm_.size()))
    if (llvm::Error error = saver_->complete()) return error;
  if (saver_ && (isLast || (o.saveEvery > 0 && step % o.saveEvery == 0))) {
    comm_.note(Activity::Saving, step);
    if (llvm::Error error = saver_->save(factsAfter(step))) return error;
  }
  if (isLast && saver_ && saver_->isWriting())
    if (llvm::Error error = saver_->complete()) return error;
  if (comm_.rank() != 0) return llvm::Error::success();
  if (isLast && saver_) saver_->finishDeleting();
  if (llvm::Error error = sayNotes(step)) return error;
  if (!isStopping_ || step == o.steps) return llvm::Error::success();
  return job_.progress->say("stopped after step " + std::to_string(step) + " of " + std::to_string(o.steps));
}

llvm::Error Rank::sayNotes(int64_t step) {
  for (const std::string &line : job_.source->endedEpochs(rowsBefore(step), rowsBefore(step + 1)))
    if (llvm::Error error = job_.progress->say(line)) return error;
  if (!saver_) return llvm::Error::success();
  for (const std::string &note : saver_->takeNotes())
    if (llvm::Error error = job_.progress->say(note)) return error;
  return llvm::Error::success();
}

Checkpoint Rank::factsAfter(int64_t step) const {
  const Manifest &m = job_.manifest;
  Checkpoint facts;
  facts.step = step;
  facts.skippedSteps = skipped_;
  facts.rows = rowsBefore(step + 1);
  facts.seed = job_.seed();
  facts.data = job_.options.dataName();
  facts.run = llvm::json::Object{{"tp", m.tp},
                                 {"dp", m.dp},
                                 {"zero", m.zero},
                                 {"micro_batch", m.microBatch},
                                 {"grad_accum", m.gradAccum},
                                 {"device", m.device},
                                 {"steps", job_.options.steps}};
  if (!hasOwnRate(executor_->program())) facts.run["learning_rate"] = textOf(job_.lr);
  return facts;
}

llvm::Error Rank::gather(const std::string &path, Gathered what) {
  return writeGathered(path, *executor_, *world_, job_.byTp(), what);
}

} // namespace autotp
