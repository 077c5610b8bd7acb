#include "runtime/execute/executor.h"

#include "runtime/base/error.h"

#include <algorithm>

namespace autotp {

std::span<std::byte> Executor::bytes(const plan::TensorRef &tensor) const {
  size_t size = size_t(elementsOf(tensor)) * sizeOf(DType(tensor.dtype()));
  return arena_.subspan(tensor.offset() + uint64_t(dpRank_) * tensor.dp_stride(), size);
}

TensorArg Executor::argument(const plan::TensorRef &tensor) const {
  return {bytes(tensor).data(), DType(tensor.dtype()), {tensor.shape().begin(), tensor.shape().end()}};
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
  std::unique_ptr<Executor> self(new Executor(program));
  self->tp_ = tp;
  self->dp_ = dp;
  self->tpRank_ = comm.rank() % tp;
  self->dpRank_ = comm.rank() / tp;
  self->device_ = std::move(device);
  llvm::Expected<std::span<std::byte>> arena = self->device_->allocate(program.arena_bytes());
  if (!arena) return arena.takeError();
  self->arena_ = *arena;
  self->zeroWhatOutlivesAStep();
  for (const plan::Constant &constant : program.constants())
    self->device_->upload(self->bytes(constant.tensor()).data(), constant.data().data(), constant.data().size());
  for (const plan::Group &group : program.groups()) {
    std::vector<int> ranks;
    for (uint32_t c : group.coordinates())
      ranks.push_back(int(group.axis() == plan::TP   ? self->dpRank_ * tp + c
                          : group.axis() == plan::DP ? int64_t(c) * tp + self->tpRank_
                                                     : c));
    llvm::Expected<std::unique_ptr<Group>> joined = comm.group(ranks);
    if (!joined) return joined.takeError();
    self->groups_.push_back(std::move(*joined));
  }
  for (const plan::Section &section : program.sections())
    for (const plan::Step &step : section.steps())
      if (llvm::Error error = self->prepare(step, self->sections_[section.name()].steps)) return error;
  return self;
}

/// Optimizer states start at 0, and so does the padding of buckets, which no kernel writes. Activations and workspace
/// are written before they are read.
void Executor::zeroWhatOutlivesAStep() {
  if (program_.regions().empty()) device_->zero(arena_);
  for (const plan::Region &region : program_.regions()) {
    if (region.name() == "activations" || region.name() == "workspace" || region.offset() > arena_.size()) continue;
    device_->zero(arena_.subspan(region.offset(), std::min(region.bytes(), arena_.size() - region.offset())));
  }
}

llvm::Error Executor::prepare(const plan::Step &step, std::vector<Step> &steps) {
  Step prepared;
  prepared.source = &step;
  if (step.has_collective()) {
    if (llvm::Error error = prepareCollective(step, prepared)) return error;
    steps.push_back(std::move(prepared));
    return llvm::Error::success();
  }
  const plan::KernelCall &call = step.kernel();
  KernelArgs args;
  for (const plan::TensorRef &tensor : call.operands())
    args.operands.push_back(argument(tensor));
  for (const plan::TensorRef &tensor : call.results())
    args.results.push_back(argument(tensor));
  for (const plan::Attribute &a : call.attributes()) {
    if (a.has_integers())
      args.attributes.set(a.name(), std::vector<int64_t>(a.integers().values().begin(), a.integers().values().end()));
    else if (a.value_case() == plan::Attribute::kReal)
      args.attributes.set(a.name(), a.real());
    else
      args.attributes.set(a.name(), a.integer());
  }
  args.workspace = arena_.subspan(call.workspace_offset(), call.workspace_bytes());
  args.dpRank = int(dpRank_);
  llvm::Expected<std::unique_ptr<PreparedKernel>> kernel = device_->prepare(KernelId(call.kernel()), std::move(args));
  if (!kernel)
    return llvm::joinErrors(problem("step '" + escaped(step.name()) + "' (from " + escaped(step.origin()) + ")",
                                    "the device cannot run it"),
                            kernel.takeError());
  prepared.kernel = std::move(*kernel);
  kernelSteps_.push_back(&step);
  steps.push_back(std::move(prepared));
  return llvm::Error::success();
}

llvm::Error Executor::prepareCollective(const plan::Step &step, Step &prepared) {
  const plan::Collective &c = step.collective();
  prepared.collective = &c;
  prepared.group = groups_[c.group()].get();
  prepared.in = bytes(c.operand()).data();
  prepared.out = bytes(c.result()).data();
  prepared.elements = elementsOf(c.operand());
  prepared.counts.assign(c.counts().begin(), c.counts().end());
  int64_t own = c.kind() == plan::REDUCE_SCATTER_SUM ? elementsOf(c.result()) : prepared.elements;
  if (prepared.counts.empty()) prepared.counts.assign(size_t(program_.groups(int(c.group())).coordinates_size()), own);
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
  default:
    return step.group->allGather(step.in, step.out, step.counts, dtype);
  }
}

llvm::Error Executor::captureSections() {
  if (!device_->nativeStream(Stream::Compute)) return llvm::Error::success();
  for (auto &[name, section] : sections_) {
    auto isKernel = [](const Step &step) { return step.kernel != nullptr; };
    if (section.steps.empty() || !std::all_of(section.steps.begin(), section.steps.end(), isKernel)) continue;
    auto graph = device_->capture([&steps = section.steps] {
      for (const Step &step : steps)
        if (Status status = step.kernel->run(); status != Status::Ok) return status;
      return Status::Ok;
    });
    if (!graph) return graph.takeError();
    section.graph = std::move(*graph);
  }
  return llvm::Error::success();
}

llvm::Error Executor::run(llvm::StringRef name) {
  const Section &section = sections_.find(name)->second;
  if (section.graph) {
    if (Status status = section.graph->run(); status != Status::Ok) return describe(*section.steps[0].source, status);
    return llvm::Error::success();
  }
  for (const Step &step : section.steps) {
    if (step.kernel) {
      if (Status status = step.kernel->run(); status != Status::Ok) [[unlikely]]
        return describe(*step.source, status);
    } else if (!communicate(step)) [[unlikely]] {
      return problem("step '" + step.source->name() + "'", "another rank has failed");
    }
  }
  return llvm::Error::success();
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

/// The one place that builds text.
llvm::Error Executor::describe(const plan::Step &step, Status status) {
  std::string where = "step '" + escaped(step.name()) + "' (from " + escaped(step.origin()) + ")";
  switch (status) {
  case Status::IndexOutOfRange:
    return problem(where, "an index lies outside its table",
                   "check the tokens that are fed against the model's vocabulary");
  case Status::NoValidLabels:
    return problem(where, "no label of the whole step counts",
                   "feed batches that hold at least one label other than the ignored one");
  default:
    return problem(where, "the kernel library failed");
  }
}

} // namespace autotp
