// Faults in what small floats need: master weights and their casts, the loss scale, steps that are skipped.
#include "tests/compiler/certify/mutation_places.h"

namespace autotp::test {
namespace {

bool isWithin(const plan::TensorRef &ref, const plan::TensorRef &whole) {
  return ref.offset() >= whole.offset() && ref.offset() + bytesOf(ref) <= whole.offset() + bytesOf(whole);
}

/// A cast of updated master weights to parameters.
bool pickMasterCast(Programs &programs, Random &random, Place &at) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (!pick(programs, random, isKernelOf({KernelId::Cast}), at)) return false;
    const plan::TensorRef &operand = stepAt(programs, at).kernel().operands(0);
    auto hasIt = [&](const plan::Bucket &bucket) { return bucket.has_master() && isWithin(operand, bucket.master()); };
    if (&sectionAt(programs, at) == &optimizerStep(programs[at.program]) &&
        llvm::any_of(programs[at.program].buckets(), hasIt))
      return true;
  }
  return false;
}

bool missingMasterCast(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pickMasterCast(programs, random, at)) return false;
  where = textOf(programs, at);
  erase(programs, at);
  return true;
}

/// Before the update, or of another bucket's master weights.
bool staleMasterCast(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pickMasterCast(programs, random, at)) return false;
  where = textOf(programs, at);
  const plan::Instruction step = stepAt(programs, at);
  erase(programs, at);
  insertBefore(programs, {at.program, at.section, 0}, step);
  return true;
}

/// What is cast, what is updated, or where the loader writes, lies an element beside it.
bool masterOffByOne(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pickMasterCast(programs, random, at)) return false;
  where = textOf(programs, at);
  plan::TensorRef &operand = *stepAt(programs, at).mutable_kernel()->mutable_operands(0);
  const plan::TensorRef old = operand;
  const uint64_t moved = old.offset() + (random() % 2 ? -sizeof(float) : sizeof(float));
  const size_t how = below(random, 3);
  if (how == 0) operand.set_offset(moved);
  for (plan::Instruction &step : *sectionAt(programs, at).mutable_instructions()) {
    if (how != 1 || !step.has_kernel() || step.kernel().results_size() == 0) continue;
    plan::KernelCall &call = *step.mutable_kernel();
    if (!isSamePlace(call.results(0), old) || call.operands_size() < 5) continue;
    call.mutable_results(0)->set_offset(moved);
    call.mutable_operands(0)->set_offset(moved);
  }
  for (plan::Bucket &bucket : *programs[at.program].mutable_buckets())
    if (how == 2 && bucket.has_master() && isSamePlace(bucket.master(), old))
      bucket.mutable_master()->set_offset(moved);
  return true;
}

/// The loader rounds masters that nobody names into parameters.
bool undeclaredMaster(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  if (program.buckets_size() == 0) return false;
  plan::Bucket &bucket = *program.mutable_buckets(int(below(random, size_t(program.buckets_size()))));
  if (!bucket.has_master()) return false;
  where = "the master weights of a bucket are not named";
  bucket.clear_master();
  return true;
}

/// bf16 as f16, or the other way: as many bytes.
bool reducedAsOtherFloat(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isSmall = [](const plan::Instruction &step) {
    const DType dtype = DType(step.collective().operand().dtype());
    return step.has_collective() && step.collective().kind() <= plan::REDUCE_SCATTER_SUM &&
           (dtype == DType::BF16 || dtype == DType::F16);
  };
  if (!pick(programs, random, isSmall, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Collective &c = *stepAt(programs, place).mutable_collective();
    const DType other = DType(c.operand().dtype()) == DType::BF16 ? DType::F16 : DType::BF16;
    c.mutable_operand()->set_dtype(uint32_t(other));
    c.mutable_result()->set_dtype(uint32_t(other));
  }
  return true;
}

/// The step of optimizer_step before `end` that wrote there last; -1: none.
int writerOf(const plan::Program &program, const plan::TensorRef &ref, int end) {
  for (int i = end - 1; i >= 0; --i)
    if (const plan::Instruction &step = optimizerStep(program).instructions(i); step.has_kernel())
      for (const plan::TensorRef &result : step.kernel().results())
        if (isSamePlace(result, ref)) return i;
  return -1;
}

/// The first call of a kernel in optimizer_step; -1: none.
int firstCall(const plan::Program &program, KernelId kernel) {
  for (int i = 0; i < optimizerStep(program).instructions_size(); ++i)
    if (isKernelOf({kernel})(optimizerStep(program).instructions(i))) return i;
  return -1;
}

plan::KernelCall &callAt(plan::Program &program, int step) {
  return *optimizerStep(program).mutable_instructions(step)->mutable_kernel();
}

/// The product of the count and the loss scale by which the tp rank divides gradients; -1: none.
int productOf(plan::Program &program) {
  const int divides = firstCall(program, KernelId::GradScale);
  if (divides < 0 || firstCall(program, KernelId::LossScale) < 0) return -1;
  return writerOf(program, callAt(program, divides).operands(1), divides);
}

/// Gradients are divided by the count alone.
bool divisorWithoutScale(Programs &programs, Random &, std::string &where) {
  where = "the loss scale is not in the divisor";
  for (plan::Program &program : programs) {
    const int product = productOf(program);
    if (product < 0) return false;
    const plan::KernelCall call = callAt(program, product);
    moveTo(*callAt(program, firstCall(program, KernelId::GradScale)).mutable_operands(1), call.operands(0));
    if (isSamePlace(call.operands(0), call.results(0)))
      optimizerStep(program).mutable_instructions()->DeleteSubrange(product, 1);
  }
  return true;
}

/// The share of the loss scale is another one, in the divisor alone.
bool divisorOfOtherShare(Programs &programs, Random &, std::string &where) {
  where = "another share of the loss scale in the divisor";
  for (plan::Program &program : programs) {
    const int product = productOf(program);
    if (product < 0) return false;
    const int scaled = writerOf(program, callAt(program, product).operands(1), product);
    const int share = scaled < 0 ? -1 : writerOf(program, callAt(program, scaled).operands(1), scaled);
    plan::Attribute *value = share < 0 ? nullptr : attributeOf(callAt(program, share), "value");
    if (!value) return false;
    value->set_real(value->real() * 2);
  }
  return true;
}

/// The norm is each rank's own, or of fewer ranks.
bool verdictOfFewerRanks(Programs &programs, Random &random, std::string &where) {
  const bool isOwn = random() % 2;
  where = isOwn ? "the norm that decides is each rank's own" : "the norm that decides is reduced over fewer ranks";
  for (plan::Program &program : programs) {
    const int divides = firstCall(program, KernelId::GradScale);
    if (divides < 0 || firstCall(program, KernelId::LossScale) < 0) return false;
    const plan::TensorRef norm = callAt(program, divides).operands(0);
    bool isFound = false;
    for (plan::Instruction &step : *optimizerStep(program).mutable_instructions()) {
      if (!step.has_collective() || !isSamePlace(step.collective().result(), norm)) continue;
      plan::Group group = program.groups(int(step.collective().group()));
      isFound = group.ranks_size() > 1;
      group.set_axis(isOwn || group.axis() == plan::DP ? plan::TP : plan::DP);
      group.clear_ranks();
      if (isOwn) group.add_ranks(uint32_t(&program - programs.data()));
      for (uint32_t member = 0; !isOwn && member < 2; ++member)
        group.add_ranks(member);
      *program.add_groups() = group;
      step.mutable_collective()->set_group(uint32_t(program.groups_size() - 1));
    }
    if (!isFound) return false;
  }
  return true;
}

/// Updates read the scale of gradients as it was before an overflow was looked for.
bool updateThatIsNotSkipped(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf({KernelId::Adam, KernelId::Adagrad, KernelId::Momentum, KernelId::Sgd}), at))
    return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  plan::TensorRef &scale = *call.mutable_operands(call.operands_size() - 3);
  const int decision = firstCall(programs[at.program], KernelId::LossScale);
  if (decision < 0) return false;
  where = textOf(programs, at);
  moveTo(scale, callAt(programs[at.program], decision).operands(1));
  return true;
}

/// Skipped steps count in the updates' corrections.
bool skippedStepsCount(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf({KernelId::Adam}), at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  const int decision = firstCall(programs[at.program], KernelId::LossScale);
  if (decision < 0) return false;
  where = textOf(programs, at);
  moveTo(*call.mutable_operands(call.operands_size() - 1), callAt(programs[at.program], decision).operands(3));
  return true;
}

/// A state of the schedule moves in a step that is skipped.
bool stateMovesWhereSkipped(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isKept = [](const plan::Instruction &step) {
    return isKernelOf({KernelId::Where})(step) && step.origin() == "schedule";
  };
  if (!pick(programs, random, isKept, at)) return false;
  where = textOf(programs, at);
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  moveTo(*call.mutable_operands(1), call.operands(2));
  return true;
}

/// The scale moves by another rule: after another number of steps.
bool otherWindow(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf({KernelId::LossScale}), at)) return false;
  where = textOf(programs, at);
  attributeOf(*stepAt(programs, at).mutable_kernel(), "window")->set_integer(1);
  return true;
}

} // namespace

std::vector<MutationKind> precisionMutations() {
  return {
      {"missing master-weight cast", missingMasterCast},
      {"cast of stale master", staleMasterCast},
      {"master off by one", masterOffByOne},
      {"undeclared master", undeclaredMaster},
      {"reduced as another float", reducedAsOtherFloat},
      {"divisor without loss scale", divisorWithoutScale},
      {"divisor of another share", divisorOfOtherShare},
      {"verdict of fewer ranks", verdictOfFewerRanks},
      {"update that is not skipped", updateThatIsNotSkipped},
      {"skipped steps count", skippedStepsCount},
      {"state moves where skipped", stateMovesWhereSkipped},
      {"other window", otherWindow},
  };
}

} // namespace autotp::test
