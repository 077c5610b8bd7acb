#include "runtime/train/train.h"

#include "runtime/base/error.h"
#include "runtime/device/cuda/device.h"
#include "runtime/plan/check_world.h"
#include "runtime/plan/program_file.h"
#include "runtime/train/check_outputs.h"
#include "runtime/train/communicators.h"
#include "runtime/train/job.h"
#include "runtime/train/rank.h"
#include "runtime/train/schedule_of_run.h"

#include <map>
#include <thread>

namespace autotp {
namespace {

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

/// Opens the samples of an evaluation, if there is one.
llvm::Error openEvaluated(Job &job, bool checksTokens) {
  const TrainOptions &o = job.options;
  if (o.evalEvery == 0) return llvm::Error::success();
  const bool isFed = !o.evalFeed.empty();
  auto source = isFed ? openFeed(o.evalFeed, job.manifest, {o.evalSteps * job.globalBatch(), o.evalSteps})
                      : openTokens(o.evalData, job.manifest, {DataOrder::Sequential, 0, checksTokens});
  if (!source)
    return llvm::joinErrors(problem(isFed ? "--eval-feed" : "--eval-data", "an evaluation cannot read its samples"),
                            source.takeError());
  job.evaluated = std::move(*source);
  return llvm::Error::success();
}

/// Opens the checkpoint that the run goes on from, if there is one, and then its samples. Returns lines for the user.
llvm::Expected<std::vector<std::string>> openSamples(Job &job, const Communicator *process) {
  const TrainOptions &o = job.options;
  llvm::Expected<Resumed> resumed = openResumed(o, job.byTp(), job.damaged);
  if (!resumed) return resumed.takeError();
  job.resumed = std::move(resumed->reader);
  job.damaged = std::move(resumed->damaged);
  job.isChosen = resumed->isChosen;
  WantedRows wanted{o.steps * job.globalBatch(), o.steps};
  if (job.resumed) {
    const Checkpoint &facts = job.resumed->facts();
    wanted.rows = facts.rows + std::max<int64_t>(0, o.steps - facts.step) * job.globalBatch();
    if (facts.data != o.dataName())
      resumed->notes.push_back("samples came from " + escaped(facts.data) + " until then, and come from " +
                               escaped(o.dataName()) + " now");
    if (facts.step >= o.steps)
      resumed->notes.push_back("all of --steps " + std::to_string(o.steps) + " are done: nothing is left to train");
  }
  const bool checksTokens = !process || process->rankOnHost() == 0;
  const TokenOptions tokens{o.dataOrder, uint64_t(job.seed()), checksTokens};
  auto source = o.feed.empty() ? openTokens(o.data, job.manifest, tokens) : openFeed(o.feed, job.manifest, wanted);
  if (!source) return source.takeError();
  job.source = std::move(*source);
  if (llvm::Error error = openEvaluated(job, checksTokens)) return error;
  for (const std::string &note : job.source->notes(job.resumed ? job.resumed->facts().rows : 0, wanted.rows))
    resumed->notes.push_back("data: " + note);
  if (job.evaluated)
    for (const std::string &note : job.evaluated->notes(0, o.evalSteps * job.globalBatch()))
      resumed->notes.push_back("evaluation: " + note + ", each time");
  return std::move(resumed->notes);
}

llvm::Error open(Job &job, const Communicator *process) {
  const TrainOptions &o = job.options;
  if (llvm::Error error = checkTogether(o)) return error;
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
  if (llvm::Error error = checkWorld(job.byTp())) return error;
  if (job.manifest.device == "cuda")
    if (llvm::Error error = checkGpus(job, process)) return error;
  llvm::Expected<std::vector<std::string>> notes = openSamples(job, process);
  if (!notes) return notes.takeError();
  if (job.manifest.weightsKind == "reference" && !job.resumed) {
    auto referenced = ReferencedWeights::open(job.manifest.referenced);
    if (!referenced) return referenced.takeError();
    job.referenced = std::move(*referenced);
  }
  if (process && process->rank() != 0) return llvm::Error::success();
  std::vector<std::string> inputs = job.source->files();
  if (job.evaluated) llvm::append_range(inputs, job.evaluated->files());
  if (job.resumed) llvm::append_range(inputs, job.resumed->paths());
  if (llvm::Error error = checkOutputs(o, job.manifest, std::move(inputs))) return error;
  if (!o.save.empty()) {
    auto lock = SaveLock::take(o.save);
    if (!lock) return lock.takeError();
    job.lock = std::move(*lock);
    if (!job.lock->note().empty()) notes->push_back(job.lock->note());
  }
  if (llvm::Error error = checkSaves(o, job.resumed ? job.resumed->facts().step : 0, job.damaged)) return error;
  auto progress = Progress::open({o.log, o.tensorboard, job.resumed != nullptr, o.isQuiet, /*hasBar=*/!process});
  if (!progress) return progress.takeError();
  job.progress = std::move(*progress);
  if (!isOneRate(job.lr)) notes->push_back("lr " + textOf(job.lr));
  for (const std::string &note : *notes)
    if (llvm::Error error = job.progress->say(note)) return error;
  return llvm::Error::success();
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

/// Runs one rank. Rank 0 opens the plan before the others, so that its errors are printed once. `lost`: what had failed
/// before this rank did.
llvm::Error runAsOneOf(Job &job, Communicator &process, std::string &lost) {
  auto ended = [&](llvm::Error error) {
    lost = process.failure();
    process.abort();
    return error;
  };
  if (process.rank() != 0 && !process.barrier()) return ended(problem("rank 0", "it has failed"));
  if (llvm::Error error = open(job, &process)) return ended(std::move(error));
  if (process.rank() == 0 && !process.barrier()) return ended(problem("another rank", "it has failed"));
  Rank rank(job, process);
  if (llvm::Error error = rank.run())
    return ended(std::move(error)); // before its groups are destroyed, which would wait for the others
  if (!process.barrier()) return ended(problem("another rank", "it has failed at the end"));
  return llvm::Error::success();
}

/// Runs all ranks that this process has.
llvm::Error run(Job &job, Communicator *process) {
  if (process) {
    std::string lost;
    llvm::Error error = runAsOneOf(job, *process, lost);
    if (!error || (!process->isSaidElsewhere() && lost.empty())) return error;
    llvm::consumeError(std::move(error)); // a consequence of what has failed elsewhere
    return process->isSaidElsewhere() ? llvm::make_error<SaidElsewhere>() : problem("", lost);
  }
  if (llvm::Error error = open(job, nullptr)) return error;
  runHere(job);
  if (job.failure) return std::move(*job.failure);
  return llvm::Error::success();
}

} // namespace

/// Begins anew whenever the ranks have found that the checkpoint is damaged from which they wanted to go on.
llvm::Error train(const TrainOptions &options, Communicator *process) {
  DamagedCheckpoints damaged;
  for (;;) {
    Job job(options, !process, damaged);
    if (llvm::Error error = run(job, process)) return error;
    if (job.passedOver.empty()) return llvm::Error::success();
    damaged.merge(job.passedOver);
  }
}

} // namespace autotp
