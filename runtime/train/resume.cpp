#include "runtime/train/resume.h"

#include "runtime/base/error.h"
#include "runtime/checkpoint/find_checkpoint.h"
#include "runtime/plan/shape_text.h"
#include "runtime/train/train_options.h"

#include <future>
#include <mutex>
#include <set>

namespace autotp {
namespace {

constexpr llvm::StringLiteral kAuto = "auto", kScheduleStates = "schedule.";

/// Collects what is wrong, and says the first of it.
class Differences {
public:
  explicit Differences(const std::string &folder) : folder_(folder) {}
  void add(const llvm::Twine &what) {
    constexpr size_t kShown = 20;
    if (++count_ <= kShown)
      errors_ = llvm::joinErrors(std::move(errors_), problem(escaped(folder_), what.str(),
                                                             "name a checkpoint of this plan's model and optimizer"));
    else
      last_ = what.str();
  }
  llvm::Error take() {
    if (!last_.empty()) add(llvm::Twine("these are 20 of ") + llvm::Twine(count_) + " differences");
    return std::move(errors_);
  }

private:
  std::string folder_, last_;
  size_t count_ = 0;
  llvm::Error errors_ = llvm::Error::success();
};

/// The parameters and the states of their updates are the same ones.
void compareTensors(const CheckpointReader &reader, const plan::Program &program, Differences &differences) {
  std::set<std::pair<std::string, std::string>> known;
  for (const plan::Parameter &parameter : program.parameters())
    for (const std::string &kind : kindsOf(program.buckets(int(parameter.bucket())))) {
      known.insert({parameter.name(), kind});
      const Checkpoint::Tensor *tensor = reader.find(parameter.name(), kind);
      const std::string words = "the " + escaped(kind) + " of parameter '" + escaped(parameter.name()) + "'";
      if (!tensor)
        differences.add("it lacks " + words);
      else if (!llvm::equal(tensor->shape, parameter.global_shape()))
        differences.add(words + " are " + shapeText(tensor->shape) + ", not " +
                        shapeText({parameter.global_shape().data(), size_t(parameter.global_shape_size())}));
    }
  for (const Checkpoint::Tensor &tensor : reader.facts().tensors)
    if (!known.count({tensor.parameter, tensor.kind}))
      differences.add("it has the " + escaped(tensor.kind) + " of parameter '" + escaped(tensor.parameter) +
                      "', which the plan has not");
}

bool isLike(const NamedTensor &saved, const plan::TensorRef &tensor) {
  return saved.dtype == DType(tensor.dtype()) && llvm::equal(saved.shape, tensor.shape());
}

/// A loss scale is taken if it is there; a schedule of the model's own must be.
void compareScalars(const CheckpointReader &reader, const plan::Program &program, Differences &differences,
                    std::vector<std::string> &notes) {
  for (const plan::State *state : lastingStates(program)) {
    const NamedTensor *saved = reader.scalar(state->name());
    const bool isSchedule = llvm::StringRef(state->name()).startswith(kScheduleStates);
    if (saved && isLike(*saved, state->tensor())) continue;
    if (isSchedule)
      differences.add("it lacks the state '" + escaped(state->name()) + "'");
    else
      notes.push_back("the checkpoint has no " + escaped(state->name()) + ": it begins as the plan says");
  }
}

/// What is named, or with auto the newest in --save's folder, which need not have one.
llvm::Expected<FoundCheckpoint> find(const TrainOptions &options, const DamagedCheckpoints &known) {
  if (options.resume == kAuto) return newestCheckpoint(options.save, known);
  return namedCheckpoint("--resume", options.resume, known);
}

llvm::Error restoreParameter(Executor &executor, const CheckpointReader &reader, const plan::Parameter &parameter) {
  const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
  auto of = [&](llvm::StringRef kind) {
    return [&, kind](int64_t begin, llvm::MutableArrayRef<float> to) {
      return reader.read(parameter, kind, begin, {to.data(), to.size()});
    };
  };
  if (llvm::Error error = fillParameter(executor, parameter, of(kWeights))) return error;
  for (const plan::OptimizerState &state : bucket.states())
    if (llvm::Error error = fillPart(executor, parameter, state.tensor(), of(state.name()))) return error;
  return llvm::Error::success();
}

} // namespace

llvm::Expected<Resumed> openResumed(const TrainOptions &options, llvm::ArrayRef<const plan::Program *> byTp,
                                    const DamagedCheckpoints &known) {
  Resumed resumed;
  if (options.resume.empty()) return resumed;
  llvm::Expected<FoundCheckpoint> found = find(options, known);
  if (!found) return found.takeError();
  resumed.damaged = std::move(found->damaged);
  resumed.isChosen = found->isChosen;
  for (const std::string &passed : found->passedOver)
    resumed.notes.push_back("passed over " + passed);
  if (!found->reader) {
    resumed.notes.push_back("no checkpoint in " + options.save + ": training begins");
    return resumed;
  }
  resumed.reader = std::move(found->reader);
  const CheckpointReader &reader = *resumed.reader;
  Differences differences(reader.folder());
  compareTensors(reader, *byTp[0], differences);
  compareScalars(reader, *byTp[0], differences, resumed.notes);
  if (llvm::Error error = differences.take()) return error;
  for (int64_t step : stepsIn(options.save))
    if (step > reader.facts().step)
      resumed.notes.push_back(
          checkpointOf(options.save, step) +
          " is of a later step: --resume auto would go on from there, so move it away if it is not wanted");
  resumed.notes.push_back("resumed " + reader.folder() + ": " + std::to_string(reader.facts().step) +
                          " steps are done");
  return resumed;
}

/// Fills a rank's parameters and states. Errors: elements are missing.
static llvm::Error fill(Executor &executor, const CheckpointReader &reader) {
  const plan::Program &program = executor.program();
  std::mutex mutex;
  llvm::Error errors = llvm::Error::success();
#pragma omp parallel for schedule(dynamic) if (executor.isOnHost())
  for (int i = 0; i < program.parameters_size(); ++i)
    if (llvm::Error error = restoreParameter(executor, reader, program.parameters(i))) {
      std::lock_guard lock(mutex);
      errors = llvm::joinErrors(std::move(errors), std::move(error));
    }
  if (errors) return errors;
  for (const plan::State *state : lastingStates(program))
    if (const NamedTensor *saved = reader.scalar(state->name()); saved && isLike(*saved, state->tensor()))
      executor.upload(state->tensor(), saved->bytes.data());
  return errors;
}

/// Errors: the ranks do not see the same checkpoint.
static llvm::Error compareViews(Executor &executor, Group &world, const CheckpointReader &reader) {
  std::vector<float> own; // the digest's digits, whose sums are exact
  for (const char digit : reader.digest())
    own.push_back(float(digit));
  std::vector<float> sums = own;
  if (llvm::Error error = executor.sumIntoAll(world, sums)) return error;
  for (float &digit : own)
    digit *= float(world.size());
  if (sums == own) return llvm::Error::success();
  return problem(escaped(reader.folder()), "not all ranks see this checkpoint: some see another one there",
                 "name one on a file system that all hosts share");
}

llvm::Expected<std::vector<std::string>> restore(Executor &executor, Group &world, int rank,
                                                 const CheckpointReader &reader) {
  if (llvm::Error error = compareViews(executor, world, reader)) return error;
  std::future<std::vector<std::string>> checking =
      std::async(std::launch::async, [&] { return reader.changedFiles(size_t(rank), world.size()); });
  if (llvm::Error error = fill(executor, reader)) return error;
  const std::vector<std::string> found = checking.get();
  std::vector<float> isChanged;
  for (const auto &[name, digest] : reader.facts().digests)
    isChanged.push_back(float(llvm::is_contained(found, name)));
  if (llvm::Error error = executor.sumIntoAll(world, isChanged)) return error;
  std::vector<std::string> changed;
  size_t i = 0;
  for (const auto &[name, digest] : reader.facts().digests)
    if (isChanged[i++] > 0) changed.push_back(name);
  return changed;
}

} // namespace autotp
