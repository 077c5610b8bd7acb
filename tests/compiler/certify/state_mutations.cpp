// Faults in the update, and in what a program says of parameters, inputs and outputs.
#include "tests/compiler/certify/mutation_places.h"

namespace autotp::test {
namespace {

const std::vector<KernelId> kUpdates = {KernelId::Adam, KernelId::Adagrad, KernelId::Momentum, KernelId::Sgd};

/// On all tp ranks alike: another number of them divides the gradients, or the loss.
bool wrongDivisor(Programs &programs, Random &random, std::string &where) {
  const KernelId kernel = random() % 2 ? KernelId::GradScale : KernelId::Div;
  for (plan::Program &program : programs)
    for (plan::Instruction &step : *optimizerStep(program).mutable_instructions()) {
      if (!step.has_kernel() || KernelId(step.kernel().kernel()) != kernel) continue;
      where = "optimizer_step '" + step.name() + "' on all tp ranks";
      plan::KernelCall &call = *step.mutable_kernel();
      plan::TensorRef &divisor = *call.mutable_operands(1);
      for (const plan::Input &input : program.inputs())
        if (input.kind() == (random() % 2 ? plan::STEP : plan::LEARNING_RATE)) moveTo(divisor, input.tensor());
      for (const plan::TensorRef &zeroed : program.zeroed_each_step()) // the rank's own count
        if (random() % 2 && isSameType(zeroed, divisor)) moveTo(divisor, zeroed);
    }
  return !where.empty();
}

/// {begins, ends} of a norm or of a decay: one segment less, or one end moved.
bool wrongSegment(Programs &programs, Random &random, std::string &where) {
  Place at;
  std::vector<KernelId> withSegments = kUpdates;
  withSegments.push_back(KernelId::SumSquares);
  if (!pick(programs, random, isKernelOf(withSegments), at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  auto *begins = attributeOf(call, "begins")->mutable_integers()->mutable_values(),
       *ends = attributeOf(call, "ends")->mutable_integers()->mutable_values();
  if (begins->empty()) return false;
  where = textOf(programs, at);
  const int i = int(below(random, size_t(begins->size())));
  const int64_t begin = begins->Get(i), end = ends->Get(i);
  switch (below(random, 3)) {
  case 0:
    begins->erase(begins->begin() + i);
    ends->erase(ends->begin() + i);
    return true;
  case 1:
    ends->Set(i, begin + (end - begin) / 2);
    return end > begin;
  default:
    begins->Set(i, begin + (end - begin + 1) / 2);
    return end > begin;
  }
}

/// The states of another bucket, or the gradient of another, where it is as long.
bool wrongState(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf(kUpdates), at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  const int k = int(below(random, size_t(call.results_size()) + 1));
  for (const plan::Instruction &other : sectionAt(programs, at).instructions()) {
    if (!other.has_kernel() || other.kernel().kernel() != call.kernel()) continue;
    const plan::TensorRef &ref = other.kernel().operands(k);
    if (isSamePlace(ref, call.operands(k)) || !isSameType(ref, call.operands(k))) continue;
    where = textOf(programs, at) + " operand " + std::to_string(k);
    moveTo(*call.mutable_operands(k), ref);
    if (k < call.results_size()) moveTo(*call.mutable_results(k), ref);
    return true;
  }
  return false;
}

/// A number of an update's rule: half of it, or the other choice.
bool otherRule(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf(kUpdates), at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  std::vector<plan::Attribute *> numbers;
  for (plan::Attribute &attribute : *call.mutable_attributes())
    if (!attribute.has_integers() && attribute.name() != "dp_slice") numbers.push_back(&attribute);
  plan::Attribute &number = *numbers[below(random, numbers.size())];
  where = textOf(programs, at) + " " + number.name();
  if (number.value_case() == plan::Attribute::kInteger)
    number.set_integer(1 - number.integer());
  else
    number.set_real(number.real() == 0 ? 0.25 : number.real() / 2);
  return true;
}

/// The learning rate for the count, or the other way; or the scale for one of them.
bool wrongScalar(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf(kUpdates), at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  const int first = call.operands_size() - 3, k = first + int(below(random, 3)), other = first + int(below(random, 3));
  if (k == other) return false;
  where = textOf(programs, at) + " operand " + std::to_string(k);
  moveTo(*call.mutable_operands(k), call.operands(other));
  return true;
}

/// What a state begins with.
bool wrongBeginning(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  if (program.states_size() == 0) return false;
  const int i = int(below(random, size_t(program.states_size())));
  plan::State &state = *program.mutable_states(i);
  where = "state " + state.name();
  if (random() % 2) {
    program.mutable_states()->DeleteSubrange(i, 1);
    return true;
  }
  const bool isFloating = isFloat(DType(state.tensor().dtype()));
  const float half = 0.5f;
  if (isFloating)
    state.set_data(std::string(reinterpret_cast<const char *>(&half), sizeof(half)) == state.data()
                       ? std::string(sizeof(half), '\0')
                       : std::string(reinterpret_cast<const char *>(&half), sizeof(half)));
  else
    state.mutable_data()->front() ^= 4;
  return true;
}

/// What an optimizer's state is called, begins with, or whether it is listed at all.
bool wrongOptimizerState(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Bucket &bucket = *program.mutable_buckets(int(below(random, size_t(program.buckets_size()))));
  if (bucket.states_size() == 0) return false;
  const int i = int(below(random, size_t(bucket.states_size())));
  plan::OptimizerState &state = *bucket.mutable_states(i);
  where = "optimizer state " + state.name();
  switch (random() % 4) {
  case 0:
    state.set_name(state.name() + "_");
    return true;
  case 1:
    state.set_initial(state.initial() + 0.5f);
    return true;
  case 2:
    if (bucket.states_size() < 2) return false;
    bucket.mutable_states(0)->mutable_tensor()->Swap(bucket.mutable_states(1)->mutable_tensor());
    return true;
  default:
    bucket.mutable_states()->DeleteSubrange(i, 1);
    return true;
  }
}

bool coverOffByOne(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Parameter &parameter = *program.mutable_parameters(int(below(random, size_t(program.parameters_size()))));
  for (int d = 0; d < parameter.covers_size(); ++d) {
    plan::Cover &cover = *parameter.mutable_covers(d);
    if (cover.begins_size() == 0) continue;
    const int last = cover.ends_size() - 1;
    const bool mayGrow = cover.ends(last) < parameter.global_shape(d);
    if (!mayGrow && cover.begins(0) == 0) continue;
    for (int i = 0; i <= last; ++i) {
      cover.set_begins(i, cover.begins(i) + (mayGrow ? 1 : -1));
      cover.set_ends(i, cover.ends(i) + (mayGrow ? 1 : -1));
    }
    where = "cover of " + parameter.name();
    return true;
  }
  return false;
}

bool swapParameters(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Parameter &a = *program.mutable_parameters(int(below(random, size_t(program.parameters_size()))));
  for (plan::Parameter &b : *program.mutable_parameters())
    if (&a != &b && isSameType(a.tensor(), b.tensor()) && llvm::equal(a.global_shape(), b.global_shape())) {
      where = "places of " + a.name() + " and " + b.name();
      const plan::Parameter old = a;
      *a.mutable_tensor() = b.tensor();
      a.set_bucket(b.bucket());
      a.set_bucket_begin(b.bucket_begin());
      *b.mutable_tensor() = old.tensor();
      b.set_bucket(old.bucket());
      b.set_bucket_begin(old.bucket_begin());
      return true;
    }
  return false;
}

bool keepSums(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  if (program.zeroed_each_step_size() == 0) return false;
  const int i = int(below(random, size_t(program.zeroed_each_step_size())));
  where = "sums at " + std::to_string(program.zeroed_each_step(i).offset()) + " are not set to 0";
  program.mutable_zeroed_each_step()->DeleteSubrange(i, 1);
  return true;
}

bool wrongConstant(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  if (program.constants_size() == 0) return false;
  plan::Constant &constant = *program.mutable_constants(int(below(random, size_t(program.constants_size()))));
  std::string data = constant.data();
  const size_t size = sizeOf(DType(constant.tensor().dtype()));
  if (data.size() < size) return false;
  const size_t at = below(random, data.size() / size) * size + size - 1;
  data[at] = char(data[at] ^ (size == 1 ? 1 : 0x40));
  constant.set_data(data);
  where = "constant at " + std::to_string(constant.tensor().offset());
  return true;
}

bool wrongStride(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isSliced = [](const plan::Instruction &step) {
    return step.has_kernel() &&
           llvm::any_of(step.kernel().operands(), [](const plan::TensorRef &ref) { return ref.dp_stride() != 0; });
  };
  if (!pick(programs, random, isSliced, at)) return false;
  where = textOf(programs, at);
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  const uint64_t stride = random() % 2 ? 0 : 64;
  for (plan::TensorRef &ref : *call.mutable_operands())
    if (ref.dp_stride()) {
      const plan::TensorRef old = ref;
      ref.set_dp_stride(stride);
      for (plan::TensorRef &result : *call.mutable_results())
        if (isSamePlace(result, old)) result.set_dp_stride(stride);
      break;
    }
  return true;
}

/// Each dp rank writes elsewhere what all of them read at one place.
bool strideOfResult(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isWhole = [](const plan::TensorRef &ref) { return !ref.dp_stride() && bytesOf(ref) > 0; };
  auto hasWhole = [&](const plan::Instruction &step) {
    return step.has_collective() ? isWhole(step.collective().result()) : llvm::any_of(step.kernel().results(), isWhole);
  };
  if (!pick(programs, random, hasWhole, at)) return false;
  where = textOf(programs, at);
  plan::Instruction &step = stepAt(programs, at);
  plan::TensorRef &ref = step.has_collective() ? *step.mutable_collective()->mutable_result()
                                               : *llvm::find_if(*step.mutable_kernel()->mutable_results(), isWhole);
  ref.set_dp_stride(bytesOf(ref));
  return true;
}

bool wrongInput(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Input &a = *program.mutable_inputs(int(below(random, size_t(program.inputs_size()))));
  for (plan::Input &b : *program.mutable_inputs())
    if (&a != &b && isSameType(a.tensor(), b.tensor())) {
      where = "inputs " + a.name() + " and " + b.name();
      std::swap(*a.mutable_tensor(), *b.mutable_tensor());
      return true;
    }
  return false;
}

/// The runtime writes an input over something; what reads the input follows it.
bool inputOverData(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Input &input = *program.mutable_inputs(int(below(random, size_t(program.inputs_size()))));
  const plan::TensorRef old = input.tensor();
  std::vector<plan::TensorRef> others;
  for (const plan::Section &section : program.sections())
    for (const plan::TensorRef &ref : tensorsBefore(section, section.instructions_size()))
      if (!isSamePlace(ref, old) && bytesOf(ref) >= bytesOf(old)) others.push_back(ref);
  if (others.empty()) return false;
  plan::TensorRef to = others[below(random, others.size())];
  to.set_dp_stride(0);
  where = "input " + input.name() + " at " + std::to_string(to.offset());
  moveTo(*input.mutable_tensor(), to);
  for (plan::Section &section : *program.mutable_sections())
    for (plan::Instruction &step : *section.mutable_instructions())
      if (step.has_kernel())
        for (plan::TensorRef &operand : *step.mutable_kernel()->mutable_operands())
          if (isSamePlace(operand, old)) moveTo(operand, to);
  return true;
}

bool outputElsewhere(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Output &output = *program.mutable_outputs(int(below(random, size_t(program.outputs_size()))));
  std::vector<plan::TensorRef> others =
      tensorsBefore(optimizerStep(program), optimizerStep(program).instructions_size());
  llvm::erase_if(others, [&](const plan::TensorRef &ref) {
    return ref.dtype() != output.tensor().dtype() || isSamePlace(ref, output.tensor());
  });
  if (others.empty()) return false;
  where = "output " + output.name();
  moveTo(*output.mutable_tensor(), others[below(random, others.size())]);
  return true;
}

bool programsExchanged(Programs &programs, Random &random, std::string &where) {
  if (programs.size() < 2) return false;
  const size_t a = below(random, programs.size()), b = (a + 1) % programs.size();
  where = "tp ranks " + std::to_string(a) + " and " + std::to_string(b);
  std::swap(programs[a], programs[b]);
  return true;
}

/// One tp rank does what another does: its part is there twice, its own not at all.
bool programTwice(Programs &programs, Random &random, std::string &where) {
  if (programs.size() < 2) return false;
  const size_t a = below(random, programs.size()), b = (a + 1) % programs.size();
  where = "tp rank " + std::to_string(b) + " is tp rank " + std::to_string(a) + " again";
  programs[b] = programs[a];
  return true;
}

bool wrongGradientPlace(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Parameter &parameter = *program.mutable_parameters(int(below(random, size_t(program.parameters_size()))));
  where = "gradient of " + parameter.name();
  parameter.set_bucket_begin(parameter.bucket_begin() + 1);
  return true;
}

} // namespace

std::vector<MutationKind> stateMutations() {
  return {
      {"wrong divisor", wrongDivisor},
      {"wrong segment", wrongSegment},
      {"wrong state", wrongState},
      {"other rule", otherRule},
      {"wrong scalar", wrongScalar},
      {"wrong beginning", wrongBeginning},
      {"wrong optimizer state", wrongOptimizerState},
      {"cover off by one", coverOffByOne},
      {"parameters exchanged", swapParameters},
      {"sums kept", keepSums},
      {"wrong constant", wrongConstant},
      {"wrong stride over dp", wrongStride},
      {"result over dp", strideOfResult},
      {"inputs exchanged", wrongInput},
      {"gradient elsewhere", wrongGradientPlace},
      {"input over data", inputOverData},
      {"output elsewhere", outputElsewhere},
      {"tp ranks exchanged", programsExchanged},
      {"tp rank twice", programTwice},
  };
}

} // namespace autotp::test
