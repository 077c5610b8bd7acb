#include "runtime/train/train.h"

#include "runtime/train/communicators.h"

#include "runtime/base/error.h"
#include "runtime/base/output_file.h"
#include "runtime/data/source.h"
#include "runtime/device/cpu/device.h"
#include "runtime/device/cuda/device.h"
#include "runtime/plan/check_world.h"
#include "runtime/plan/manifest.h"
#include "runtime/train/gather_parameters.h"
#include "runtime/train/non_finite.h"
#include "runtime/train/progress.h"
#include "runtime/train/schedule_of_run.h"

#include <chrono>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

namespace autotp {
namespace {

/// What all ranks of this process share. All of it is read-only while they run, except `failure`, which `mutex`
/// protects.
struct Job {
  const TrainOptions &options;
  bool hasAllRanks; ///< as threads of this process
  Manifest manifest;
  LrSchedule lr; ///< of this run
  std::vector<plan::Program> programs;
  std::unique_ptr<Source> source;
  std::unique_ptr<Progress> progress; ///< only if rank 0 runs in this process
  std::mutex mutex;
  std::optional<llvm::Error> failure; ///< the error of the rank that failed first

  void fail(llvm::Error error) {
    std::lock_guard lock(mutex);
    if (!failure)
      failure.emplace(std::move(error));
    else
      llvm::consumeError(std::move(error)); // a consequence of the first error
  }
};

/// If a host has fewer GPUs than ranks, ranks share them.
int gpuOf(int rankOnHost) { return rankOnHost % std::max(1, countGpus()); }

bool hasOutput(const plan::Program &program, llvm::StringRef name) {
  return llvm::any_of(program.outputs(), [&](const plan::Output &output) { return output.name() == name; });
}

/// Whether the learning rate comes from the model's own training graph.
bool hasOwnRate(const plan::Program &program) { return hasOutput(program, "learning_rate"); }

/// One rank, on its own thread.
class Rank {
public:
  Rank(Job &job, Communicator &comm) : job_(job), manifest_(job.manifest), comm_(comm) {}
  /// Destroys graphs before groups, and groups before the device; the communicator, which the caller owns, outlives
  /// all.
  ~Rank() {
    if (executor_) executor_->releaseGraphs();
  }

  llvm::Error run() {
    if (llvm::Error error = load()) return error;
    for (int64_t step = 1; step <= job_.options.steps; ++step)
      if (llvm::Error error = runStep(step)) return error;
    if (job_.options.saveWeights.empty()) return llvm::Error::success();
    return gather(job_.options.saveWeights, Gathered::Weights);
  }

private:
  /// Where the rows of an input of the graph are written.
  struct Feed {
    size_t input; ///< index into the inputs of the manifest
    const plan::TensorRef &tensor;
    std::vector<std::byte> rows; ///< in host memory
  };

  llvm::Error load() {
    const plan::Program &program = job_.programs[size_t(manifest_.ranks[size_t(comm_.rank())].program)];
    llvm::Expected<std::unique_ptr<Device>> device = makeDevice();
    if (!device) return device.takeError();
    llvm::Expected<std::unique_ptr<Executor>> executor =
        Executor::create(program, manifest_.tp, manifest_.dp, comm_, std::move(*device));
    if (!executor) return executor.takeError();
    executor_ = std::move(*executor);
    for (size_t i = 0; i < manifest_.inputs.size(); ++i)
      if (const plan::Input *input =
              executor_->input(manifest_.inputs[i].name)) // otherwise nothing in the program reads it
        feeds_.push_back({i, input->tensor(), std::vector<std::byte>(executor_->bytes(input->tensor()).size())});
    for (const plan::Input &input : program.inputs())
      if (input.kind() == plan::RANDOM_COUNTER) randomCounter_ = &input.tensor();
    if (llvm::Error error = joinWorld()) return error;
    if (manifest_.weightsKind == "copy") {
      const Manifest::File &file = manifest_.weights[size_t(executor_->tpRank())];
      // Threads of one tp rank read one file, which the first of them checks.
      const bool isChecked = job_.hasAllRanks && executor_->dpRank() > 0;
      return loadWeights(*executor_, job_.options.plan + "/" + file.path,
                         isChecked ? std::nullopt : std::optional<llvm::StringRef>(file.digest));
    }
    initialiseWeights(*executor_, job_.options.seed.value_or(manifest_.weightsSeed));
    return llvm::Error::success();
  }

  llvm::Expected<std::unique_ptr<Device>> makeDevice() const {
    if (manifest_.device == "cuda") return makeCudaDevice({gpuOf(comm_.rankOnHost()), job_.options.allowsTf32});
    int threads = job_.options.threads ? job_.options.threads
                                       : std::max(1, int(std::thread::hardware_concurrency()) / comm_.ranksOnHost());
    return makeCpuDevice(threads, job_.options.instructionSet);
  }

  llvm::Error joinWorld() {
    std::vector<int> all(size_t(comm_.size()));
    std::iota(all.begin(), all.end(), 0);
    llvm::Expected<std::unique_ptr<Group>> world = comm_.group(all, executor_->device());
    if (!world) return world.takeError();
    world_ = std::move(*world);
    return llvm::Error::success();
  }

  /// Feeds a micro-step: row i is row (dp_rank * grad_accum + micro_step) * micro_batch + i of the global batch.
  llvm::Error feed(int64_t step, int64_t microStep) {
    int64_t globalBatch = manifest_.microBatch * manifest_.gradAccum * manifest_.dp;
    int64_t first =
        (step - 1) * globalBatch + (executor_->dpRank() * manifest_.gradAccum + microStep) * manifest_.microBatch;
    for (Feed &feed : feeds_) {
      const bool isBatched = manifest_.inputs[feed.input].isBatched;
      const int64_t rows = isBatched ? manifest_.microBatch : 1, begin = isBatched ? first : step - 1;
      const size_t rowBytes = feed.rows.size() / size_t(rows);
      for (int64_t row = 0; row < rows; ++row)
        if (llvm::Error error = job_.source->fill(begin + row, feed.input,
                                                  std::span(feed.rows).subspan(size_t(row) * rowBytes, rowBytes)))
          return error;
      executor_->upload(feed.tensor, feed.rows.data());
    }
    if (randomCounter_) {
      const int64_t seedStepRow[3] = {job_.options.seed.value_or(manifest_.weightsSeed), step, first % globalBatch};
      executor_->upload(*randomCounter_, seedStepRow);
    }
    return llvm::Error::success();
  }

  llvm::Error runMicroBatches(int64_t step, llvm::StringRef section) {
    for (int64_t micro = 0; micro < manifest_.gradAccum; ++micro) {
      if (llvm::Error error = feed(step, micro)) return error;
      if (llvm::Error error = executor_->run(section)) return error;
    }
    return llvm::Error::success();
  }

  /// With f16, a step that is not finite is skipped, and the loss scale halved. The schedule of the learning rate does not
  /// count it, nor do transformers' Trainer and DeepSpeed's engine.
  llvm::Error checkFinite(int64_t step) {
    const double loss = double(executor_->scalar("loss")), norm = double(executor_->scalar("grad_norm"));
    skipped_ += !std::isfinite(norm);
    if (hasOutput(executor_->program(), "loss_scale") || (std::isfinite(loss) && std::isfinite(norm)))
      return llvm::Error::success();
    auto feedAgain = [&](int64_t micro) { return feed(step, micro); };
    auto programOf = [&](int rank) -> const plan::Program & {
      return job_.programs[size_t(manifest_.ranks[size_t(rank)].program)];
    };
    return explainNonFinite(*executor_, *world_,
                            {step, manifest_.gradAccum, loss, norm, comm_.rank(), feedAgain, programOf});
  }

  /// Captures after the first step, when every section has run once, as captureSections() needs.
  llvm::Error runStep(int64_t step) {
    auto begin = std::chrono::steady_clock::now();
    executor_->zeroAccumulators();
    if (executor_->has("batch_statistics"))
      if (llvm::Error error = runMicroBatches(step, "batch_statistics")) return error;
    if (llvm::Error error = runMicroBatches(step, "micro_step")) return error;
    double lr = learningRateAt(job_.lr, step - skipped_);
    executor_->setScalar("learning_rate", float(lr));
    executor_->setScalar("step", float(step));
    if (llvm::Error error = executor_->run("optimizer_step")) return error;
    if (llvm::Error error = executor_->synchronise()) return error;
    if (comm_.hasFailed()) {
      const std::string failure = comm_.failure();
      return problem("step " + std::to_string(step), failure.empty() ? "another rank has failed" : failure);
    }
    if (llvm::Error error = checkFinite(step)) return error;
    if (step == 1)
      if (llvm::Error error = executor_->captureSections()) return error;
    if (step == 1 && !job_.options.dumpGradients.empty())
      if (llvm::Error error = gather(job_.options.dumpGradients, Gathered::Gradients)) return error;
    if (hasOwnRate(executor_->program())) lr = double(executor_->scalar("learning_rate"));
    if (comm_.rank() != 0) return llvm::Error::success();
    return report(step, lr, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }

  llvm::Error report(int64_t step, double lr, double seconds) {
    int64_t tokens = 0;
    for (const Manifest::Input &input : manifest_.inputs) {
      int64_t elements = manifest_.gradAccum * manifest_.dp;
      for (int64_t d : input.shape)
        elements *= d;
      if (input.role == "tokens") tokens += elements; // an encoder and a decoder have some each
    }
    if (tokens == 0)
      tokens = manifest_.microBatch * manifest_.gradAccum * manifest_.dp; // without tokens, samples are counted
    return job_.progress->report({step, job_.options.steps, executor_->scalar("loss"), executor_->scalar("grad_norm"),
                                  lr, double(tokens) / seconds, seconds * 1e3, executor_->arenaBytes(),
                                  executor_->scalar("loss_scale")});
  }

  llvm::Error gather(const std::string &path, Gathered what) {
    std::vector<const plan::Program *> byTp;
    for (int64_t c = 0; c < manifest_.tp; ++c)
      byTp.push_back(&job_.programs[size_t(manifest_.ranks[size_t(c)].program)]); // ranks 0 to tp - 1 have dp rank 0
    return writeGathered(path, *executor_, *world_, byTp, what);
  }

  Job &job_;
  const Manifest &manifest_;
  Communicator &comm_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Group> world_;
  std::vector<Feed> feeds_;
  int64_t skipped_ = 0;                            ///< steps that updated nothing, the same on all ranks
  const plan::TensorRef *randomCounter_ = nullptr; ///< null if the program has no dropout
};

/// Checks, before any work, that each rank of this process has a GPU with enough memory for all ranks that share it.
llvm::Error checkGpus(const Job &job, const Communicator *process) {
  std::map<int, uint64_t> bytes;
  if (process) {
    const Manifest::Rank &own = job.manifest.ranks[size_t(process->rank())];
    bytes[gpuOf(process->rankOnHost())] = job.programs[size_t(own.program)].arena_bytes();
  }
  for (size_t r = 0; !process && r < job.manifest.ranks.size(); ++r)
    bytes[gpuOf(int(r))] += job.programs[size_t(job.manifest.ranks[r].program)].arena_bytes();
  for (const auto &[gpu, planned] : bytes)
    if (llvm::Error error = checkGpu({gpu, job.options.allowsTf32}, planned)) return error;
  return llvm::Error::success();
}

/// Checks output files before the first step instead of failing after the last one.
llvm::Error checkOutputs(const Job &job) {
  const TrainOptions &o = job.options;
  std::vector<std::string> inputs = {o.feed, o.data, o.plan + "/manifest.json"};
  for (const auto *files : {&job.manifest.programs, &job.manifest.weights})
    for (const Manifest::File &file : *files)
      inputs.push_back(o.plan + "/" + file.path);
  const std::pair<const char *, const std::string &> outputs[] = {
      {"--log", o.log}, {"--dump-gradients", o.dumpGradients}, {"--save-weights", o.saveWeights}};
  for (const auto &[flag, path] : outputs) {
    if (path.empty()) continue;
    for (const auto &[other, otherPath] : outputs)
      if (other != flag && path == otherPath)
        return problem(flag, llvm::formatv("it names the same file as {0}", other).str(), "name another file");
    if (llvm::Error error = checkIsNotRead(path, inputs)) return error;
    if (&path == &o.log) continue; // it is opened right away
    if (llvm::Error error = checkOutputFile(path)) return error;
  }
  return llvm::Error::success();
}

llvm::Error open(Job &job, const Communicator *process) {
  const TrainOptions &o = job.options;
  llvm::Expected<Manifest> manifest = readManifest(o.plan);
  if (!manifest) return manifest.takeError();
  job.manifest = std::move(*manifest);
  if (job.manifest.device != "cpu" && job.manifest.device != "cuda")
    return problem(o.plan, "it is for the device '" + escaped(job.manifest.device) + "', which does not exist",
                   "compile it for cpu or cuda");
  if (!o.device.empty() && o.device != job.manifest.device)
    return problem(o.plan, "it is for the device '" + job.manifest.device + "', not for '" + escaped(o.device) + "'",
                   "compile it with --device " + escaped(o.device));
  if (process && size_t(process->size()) != job.manifest.ranks.size())
    return problem(o.plan,
                   llvm::formatv("it is for {0} ranks (tp {1} x dp {2}), but {3} were started",
                                 job.manifest.ranks.size(), job.manifest.tp, job.manifest.dp, process->size())
                       .str(),
                   "start as many, or compile for another --tp, --dp");
  for (const Manifest::File &file : job.manifest.programs) {
    llvm::Expected<plan::Program> program =
        readProgram(o.plan + "/" + file.path, file.digest, job.manifest.tp, job.manifest.dp);
    if (!program) return program.takeError();
    job.programs.push_back(std::move(*program));
  }
  llvm::Expected<LrSchedule> lr = scheduleOfRun(job.manifest, o, hasOwnRate(job.programs[0]));
  if (!lr) return lr.takeError();
  job.lr = *lr;
  std::vector<const plan::Program *> byTp; // ranks 0 to tp - 1 have dp rank 0
  for (int64_t c = 0; c < job.manifest.tp; ++c)
    byTp.push_back(&job.programs[size_t(job.manifest.ranks[size_t(c)].program)]);
  if (llvm::Error error = checkWorld(byTp)) return error;
  if (job.manifest.device == "cuda")
    if (llvm::Error error = checkGpus(job, process)) return error;
  auto source = o.feed.empty() ? openTokens(o.data, job.manifest) : openFeed(o.feed, job.manifest, o.steps);
  if (!source) return source.takeError();
  job.source = std::move(*source);
  if (process && process->rank() != 0) return llvm::Error::success();
  if (llvm::Error error = checkOutputs(job)) return error;
  auto progress = Progress::open(o.log, o.isQuiet);
  if (!progress) return progress.takeError();
  job.progress = std::move(*progress);
  return isOneRate(job.lr) ? llvm::Error::success() : job.progress->say("lr " + textOf(job.lr));
}

llvm::Expected<std::vector<std::unique_ptr<Communicator>>> communicatorsHere(const Job &job) {
  CommunicatorRequest request;
  request.named = job.options.comm;
  request.plan = job.options.plan;
  request.manifest = &job.manifest;
  llvm::Expected<const CommunicatorRow *> row = chooseCommunicator(request);
  if (!row) return row.takeError();
  return (*row)->makeThreads(int(job.manifest.ranks.size()));
}

/// Runs all ranks of the plan as threads of this process.
void runHere(Job &job) {
  llvm::Expected<std::vector<std::unique_ptr<Communicator>>> made = communicatorsHere(job);
  if (!made) return job.fail(made.takeError());
  std::vector<std::unique_ptr<Communicator>> &comms = *made;
  // Ranks outlive all threads, since another rank may still be reading the memory of one that has failed.
  std::vector<std::unique_ptr<Rank>> ranks;
  ranks.reserve(comms.size());
  for (auto &comm : comms)
    ranks.push_back(std::make_unique<Rank>(job, *comm));
  std::vector<std::thread> threads;
  for (size_t r = 0; r < ranks.size(); ++r)
    threads.emplace_back([&, r] {
      if (llvm::Error error = ranks[r]->run()) {
        job.fail(std::move(error));
        comms[r]->abort();
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

/// Runs one rank. Rank 0 opens the plan before the others, so that its errors are printed once.
llvm::Error runAsOneOf(Job &job, Communicator &process) {
  if (process.rank() != 0 && !process.barrier()) return problem("rank 0", "it has failed");
  if (llvm::Error error = open(job, &process)) return error;
  if (process.rank() == 0 && !process.barrier()) return problem("another rank", "it has failed");
  Rank rank(job, process);
  llvm::Error error = rank.run();
  if (error) process.abort(); // before its groups are destroyed, which would wait for the others
  return error;
}

} // namespace

llvm::Error train(const TrainOptions &options, Communicator *process) {
  Job job{options, !process, {}, {}, {}, {}, {}, {}, {}};
  if (process) {
    llvm::Error error = runAsOneOf(job, *process);
    if (!error) return error;
    process->abort();
    if (!process->isSaidElsewhere()) return error;
    llvm::consumeError(std::move(error)); // a consequence of an error that another rank prints
    return llvm::make_error<SaidElsewhere>();
  }
  if (llvm::Error error = open(job, nullptr)) return error;
  runHere(job);
  if (job.failure) return std::move(*job.failure);
  return llvm::Error::success();
}

} // namespace autotp
