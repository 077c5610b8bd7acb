#include "runtime/execute/executor.h"

#include "runtime/base/error.h"
#include "runtime/execute/input_behind.h"
#include "runtime/plan/kernel_args.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {

std::span<std::byte> Executor::bytes(const plan::TensorRef &tensor) const {
  size_t size = size_t(elementsOf(tensor)) * sizeOf(DType(tensor.dtype()));
  return arena_.subspan(tensor.offset() + uint64_t(dpRank_) * tensor.dp_stride(), size);
}

void Executor::upload(const plan::TensorRef &tensor, const void *from) {
  std::span<std::byte> to = bytes(tensor);
  device_->upload(to.data(), from, to.size());
}

void Executor::download(const plan::TensorRef &tensor, void *to) const {
  std::span<std::byte> from = bytes(tensor);
  device_->download(to, from.data(), from.size());
}

float Executor::scalar(llvm::StringRef output) const {
  float value = 0;
  for (const plan::Output &row : program_.outputs())
    if (row.name() == output) download(row.tensor(), &value);
  return value;
}

const plan::Input *Executor::input(llvm::StringRef name) const {
  for (const plan::Input &input : program_.inputs())
    if (input.name() == name) return &input;
  return nullptr;
}

void Executor::setScalar(llvm::StringRef name, float value) {
  if (const plan::Input *row = input(name)) upload(row->tensor(), &value);
}

llvm::Expected<std::unique_ptr<Executor>> Executor::create(const plan::Program &program, int64_t tp, int64_t dp,
                                                           Communicator &comm, std::unique_ptr<Device> device) {
  std::unique_ptr<Executor> self(new Executor(program, comm));
  self->tp_ = tp;
  self->dp_ = dp;
  self->tpRank_ = comm.rank() % tp;
  self->dpRank_ = comm.rank() / tp;
  self->device_ = std::move(device);
  llvm::Expected<std::span<std::byte>> arena = self->device_->allocate(program.arena_bytes());
  if (!arena) return arena.takeError();
  self->arena_ = *arena; // zeros, as optimizer states start, and the padding of buckets, which no kernel writes
  for (const plan::Constant &constant : program.constants())
    self->device_->upload(self->bytes(constant.tensor()).data(), constant.data().data(), constant.data().size());
  for (const plan::State &state : program.states())
    self->initialise(state.tensor(), state.data());
  for (const plan::Bucket &bucket : program.buckets())
    for (const plan::OptimizerState &state : bucket.states()) {
      const float initial = state.initial();
      if (initial != 0)
        self->initialise(state.tensor(), llvm::StringRef(reinterpret_cast<const char *>(&initial), sizeof initial));
    }
  for (const plan::Group &group : program.groups()) {
    std::vector<int> ranks;
    for (uint32_t c : group.ranks())
      ranks.push_back(int(group.axis() == plan::TP   ? self->dpRank_ * tp + c
                          : group.axis() == plan::DP ? int64_t(c) * tp + self->tpRank_
                                                     : c));
    llvm::Expected<std::unique_ptr<Group>> joined = comm.group(ranks, *self->device_);
    if (!joined) return joined.takeError();
    self->groups_.push_back(std::move(*joined));
  }
  if (llvm::Error error = self->makeEvents()) return error;
  for (const plan::Section &section : program.sections())
    for (const plan::Instruction &step : section.instructions())
      if (llvm::Error error = self->prepare(step, self->sections_[section.name()].steps)) return error;
  return self;
}

void Executor::initialise(const plan::TensorRef &tensor, llvm::StringRef repeated) {
  const std::span<std::byte> to = bytes(tensor);
  std::string all;
  for (all.reserve(to.size()); all.size() < to.size();)
    all += repeated;
  device_->upload(to.data(), all.data(), all.size());
}

llvm::Error Executor::makeEvents() {
  for (uint32_t i = 0; i < program_.events() + 2; ++i) {
    llvm::Expected<EventId> event = device_->makeEvent();
    if (!event) return event.takeError();
    events_.push_back(*event);
  }
  begun_ = events_[program_.events()];
  communicated_ = events_[program_.events() + 1];
  return llvm::Error::success();
}

/// Fixes all addresses, attributes and events of a step, so that run() looks nothing up.
llvm::Error Executor::prepare(const plan::Instruction &step, std::vector<Step> &steps) {
  Step prepared;
  prepared.source = &step;
  for (uint32_t event : step.waits())
    prepared.waits.push_back(events_[event]);
  if (step.signals()) prepared.signals = events_[step.signals() - 1];
  if (step.has_collective()) {
    if (llvm::Error error = prepareCollective(step, prepared)) return error;
    steps.push_back(std::move(prepared));
    return llvm::Error::success();
  }
  const plan::KernelCall &call = step.kernel();
  KernelArgs args = kernelArgs(call);
  for (size_t k = 0; k < args.operands.size(); ++k)
    args.operands[k].data = bytes(call.operands(int(k))).data();
  for (size_t k = 0; k < args.results.size(); ++k)
    args.results[k].data = bytes(call.results(int(k))).data();
  args.workspace = arena_.subspan(call.workspace_offset(), call.workspace_bytes());
  args.dpRank = int(dpRank_);
  llvm::Expected<std::unique_ptr<PreparedKernel>> kernel = device_->prepare(KernelId(call.kernel()), std::move(args));
  if (!kernel)
    return llvm::joinErrors(problem("instruction '" + escaped(step.name()) + "' (from " + escaped(step.origin()) + ")",
                                    "the device cannot run it"),
                            kernel.takeError());
  prepared.kernel = std::move(*kernel);
  kernelSteps_.push_back(&step);
  steps.push_back(std::move(prepared));
  return llvm::Error::success();
}

llvm::Error Executor::prepareCollective(const plan::Instruction &step, Step &prepared) {
  const plan::Collective &c = step.collective();
  prepared.collective = &c;
  prepared.group = groups_[c.group()].get();
  prepared.in = bytes(c.operand()).data();
  prepared.out = bytes(c.result()).data();
  prepared.elements = elementsOf(c.operand());
  prepared.counts.assign(c.counts().begin(), c.counts().end());
  int64_t own = c.kind() == plan::REDUCE_SCATTER_SUM ? elementsOf(c.result()) : prepared.elements;
  if (prepared.counts.empty()) prepared.counts.assign(size_t(program_.groups(int(c.group())).ranks_size()), own);
  return llvm::Error::success();
}

bool Executor::communicate(const Step &step) {
  DType dtype = DType(step.collective->operand().dtype());
  switch (step.collective->kind()) {
  case plan::ALL_REDUCE_SUM:
    return step.group->allReduce(step.in, step.out, step.elements, dtype, Reduce::Sum);
  case plan::ALL_REDUCE_MAX:
    return step.group->allReduce(step.in, step.out, step.elements, dtype, Reduce::Max);
  case plan::REDUCE_SCATTER_SUM:
    return step.group->reduceScatter(step.in, step.out, step.counts, dtype);
  case plan::ALL_GATHER:
    return step.group->allGather(step.in, step.out, step.counts, dtype);
  default:
    return false; // the checker accepts no other kind
  }
}

llvm::Error Executor::captureSections() {
  if (isOnHost()) return llvm::Error::success();
  for (auto &[name, section] : sections_) {
    auto mayBeCaptured = [](const Step &step) { return step.kernel || step.group->isCapturable(); };
    if (!section.hasRun || section.graph || section.steps.empty() || !llvm::all_of(section.steps, mayBeCaptured))
      continue;
    auto graph = device_->capture([this, &section = section] {
      Status status = Status::Ok;
      enqueue(section, status);
      return status;
    });
    if (!graph) return graph.takeError();
    section.graph = std::move(*graph);
  }
  return llvm::Error::success();
}

const Executor::Step *Executor::enqueue(const Section &section, Status &status) {
  device_->record(Stream::Compute, begun_);
  device_->wait(Stream::Communication, begun_);
  for (const Step &step : section.steps) {
    for (EventId event : step.waits)
      device_->wait(step.stream(), event);
    status = step.kernel ? step.kernel->run() : communicate(step) ? Status::Ok : Status::LibraryFailed;
    if (status != Status::Ok) [[unlikely]]
      return &step;
    if (step.signals) device_->record(step.stream(), *step.signals);
  }
  device_->record(Stream::Communication, communicated_);
  device_->wait(Stream::Compute, communicated_);
  return nullptr;
}

llvm::Error Executor::anotherFailed(llvm::StringRef where) const {
  const std::string failure = comm_.failure();
  return problem(where, failure.empty() ? "another rank has failed" : failure);
}

void Executor::releaseGraphs() {
  for (auto &[name, section] : sections_)
    section.graph.reset();
}

llvm::Error Executor::run(llvm::StringRef name) {
  Section &section = sections_.find(name)->second;
  section.hasRun = true;
  Status status = Status::Ok;
  const Step *failed = nullptr;
  if (section.graph) {
    // A replay would wait for the failed rank.
    if (comm_.hasFailed()) return anotherFailed("section '" + name.str() + "'");
    status = section.graph->run();
  } else {
    failed = enqueue(section, status);
  }
  if (status == Status::Ok) return llvm::Error::success();
  if (failed && !failed->kernel) return anotherFailed("instruction '" + failed->source->name() + "'");
  return describe(failed ? *failed->source : *section.steps[0].source, status);
}

llvm::Error Executor::overGroup(std::vector<float> &values, llvm::function_ref<bool(void *data)> sum) {
  void *data = values.data();
  const size_t bytes = values.size() * sizeof(float);
  if (!isOnHost()) {
    if (staging_.size() < bytes) {
      llvm::Expected<std::span<std::byte>> memory = device_->allocate(bytes);
      if (!memory) return memory.takeError();
      staging_ = *memory;
    }
    data = staging_.data();
    device_->upload(staging_.data(), values.data(), bytes);
    if (llvm::Error error = synchronise()) return error;
  }
  if (!sum(data)) return anotherFailed("a sum over ranks");
  if (isOnHost()) return llvm::Error::success();
  if (llvm::Error error = synchronise()) return error;
  device_->download(values.data(), staging_.data(), bytes);
  return llvm::Error::success();
}

llvm::Error Executor::sumIntoFirst(Group &group, std::vector<float> &values) {
  std::vector<int64_t> counts(group.size(), 0);
  counts[0] = int64_t(values.size());
  return overGroup(values, [&](void *data) { return group.reduceScatter(data, data, counts, DType::F32); });
}

llvm::Error Executor::sumIntoAll(Group &group, std::vector<float> &values) {
  if (group.size() == 1) return llvm::Error::success();
  return overGroup(
      values, [&](void *data) { return group.allReduce(data, data, int64_t(values.size()), DType::F32, Reduce::Sum); });
}

llvm::Error Executor::synchronise() {
  llvm::Expected<Failure> failure = device_->synchronise();
  if (!failure) return failure.takeError();
  if (failure->status == Status::Ok) return llvm::Error::success();
  return describe(*kernelSteps_[failure->kernel], failure->status);
}

void Executor::zeroAccumulators() {
  for (const plan::TensorRef &tensor : program_.zeroed_each_step())
    device_->zero(bytes(tensor));
}

/// The only function that builds text.
llvm::Error Executor::describe(const plan::Instruction &step, Status status) const {
  std::string where = "instruction '" + escaped(step.name()) + "' (from " + escaped(step.origin()) + ")";
  switch (status) {
  case Status::IndexOutOfRange:
    if (std::string input = inputBehind(program_, step); !input.empty())
      return problem(where, "an index or label made of input '" + escaped(input) + "' is out of range",
                     "feed '" + escaped(input) + "' numbers that the model has rows or classes for");
    return problem(where, "an index that the model computes is out of range");
  case Status::NoValidLabels:
    return problem(where, "no label of the whole step counts",
                   "feed batches that hold at least one label other than the ignored one");
  default:
    return problem(where, "the kernel library failed");
  }
}

} // namespace autotp
