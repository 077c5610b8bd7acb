#include "runtime/plan/check_program.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/plan/collective.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/kernel_args.h"
#include "runtime/plan/kernels/check_call.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/step_order.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <set>

namespace autotp {

int64_t elementsOf(const plan::TensorRef &tensor) {
  constexpr int64_t kMost = int64_t(1) << 46;
  int64_t n = 1;
  for (int64_t d : tensor.shape()) {
    if (d < 0 || (d > 0 && n > kMost / d)) return -1;
    n *= d;
  }
  return n;
}

namespace {

class ProgramChecker {
public:
  ProgramChecker(const plan::Program &program, int64_t tp, int64_t dp) : program_(program), tp_(tp), dp_(dp) {}

  llvm::Error run() {
    constexpr uint64_t kLargestArena = uint64_t(1) << 46;
    if (program_.format_version() != uint32_t(kPlanFormatVersion))
      return problem("program", "it is of another format version", "compile the plan again");
    if (program_.arena_bytes() > kLargestArena) return problem("program", "its arena is larger than any memory");
    for (const plan::Group &group : program_.groups())
      if (llvm::Error error = checkGroup(group)) return error;
    for (const auto &input : program_.inputs())
      if (llvm::Error error = checkTensor(input.tensor(), "input " + input.name())) return error;
    for (const auto &output : program_.outputs())
      if (llvm::Error error = checkTensor(output.tensor(), "output " + output.name())) return error;
    for (const auto &parameter : program_.parameters())
      if (llvm::Error error = checkParameter(parameter)) return error;
    for (const auto &bucket : program_.buckets())
      if (llvm::Error error = checkBucket(bucket)) return error;
    for (const auto &tensor : program_.zeroed_each_step())
      if (llvm::Error error = checkTensor(tensor, "accumulator")) return error;
    for (const auto &constant : program_.constants()) {
      if (llvm::Error error = checkTensor(constant.tensor(), "constant")) return error;
      if (constant.data().size() != uint64_t(elementsOf(constant.tensor())) * sizeOf(DType(constant.tensor().dtype())))
        return problem("constant", "its bytes do not fit its shape");
    }
    for (const auto &state : program_.states())
      if (llvm::Error error = checkState(state)) return error;
    for (const auto &section : program_.sections())
      for (const auto &instruction : section.instructions())
        if (llvm::Error error = checkInstruction(instruction)) return error;
    if (llvm::Error error = checkSequences()) return error;
    return checkOrder(program_, dp_);
  }

private:
  llvm::Error checkTensor(const plan::TensorRef &tensor, const std::string &where) {
    size_t size = tensor.dtype() <= 255 ? sizeOf(DType(tensor.dtype())) : 0;
    int64_t elements = elementsOf(tensor);
    if (size == 0 || elements < 0)
      return problem(escaped(where), "its dtype or shape is not valid", "compile the plan again");
    uint64_t last = uint64_t(dp_ - 1), arena = program_.arena_bytes(), bytes = uint64_t(elements) * size;
    bool fits = tensor.offset() <= arena && (last == 0 || tensor.dp_stride() <= (arena - tensor.offset()) / last) &&
                bytes <= arena - tensor.offset() - last * tensor.dp_stride();
    if (!fits) return problem(escaped(where), "it lies outside the arena", "compile the plan again");
    return llvm::Error::success();
  }

  llvm::Error checkBucket(const plan::Bucket &bucket) {
    if (llvm::Error error = checkFlat(bucket, bucket.accumulator(), "accumulator")) return error;
    if (llvm::Error error = checkFlat(bucket, bucket.parameters(), "parameters")) return error;
    std::set<std::string> names;
    for (const plan::OptimizerState &state : bucket.states()) {
      if (!names.insert(state.name()).second)
        return problem("a bucket", "it has the optimizer state '" + escaped(state.name()) + "' twice",
                       "compile the plan again");
      if (llvm::Error error = checkFlat(bucket, state.tensor(), "optimizer state " + escaped(state.name())))
        return error;
    }
    return bucket.has_master() ? checkFlat(bucket, bucket.master(), "master weights") : llvm::Error::success();
  }

  /// All of a bucket, or a slice of it.
  llvm::Error checkFlat(const plan::Bucket &bucket, const plan::TensorRef &tensor, const std::string &what) {
    if (llvm::Error error = checkTensor(tensor, "a bucket's " + what)) return error;
    const int64_t elements = elementsOf(tensor);
    const bool isOfParameters = &tensor == &bucket.parameters();
    for (int64_t slices : {int64_t(1), dp_, tp_ * dp_})
      if (elements * slices == bucket.elements() && (isOfParameters || DType(tensor.dtype()) == DType::F32))
        return llvm::Error::success();
    return problem("a bucket's " + what, "they do not fit their bucket", "compile the plan again");
  }

  llvm::Error checkState(const plan::State &state) {
    if (llvm::Error error = checkTensor(state.tensor(), "state " + state.name())) return error;
    const uint64_t size = sizeOf(DType(state.tensor().dtype())), all = uint64_t(elementsOf(state.tensor())) * size;
    if (all > 0 && (state.data().size() == size || state.data().size() == all)) return llvm::Error::success();
    return problem("state '" + escaped(state.name()) + "'", "its bytes do not fit its shape", "compile the plan again");
  }

  /// All dp ranks of a tp rank run this program, so each of them is a member where one is.
  llvm::Error checkGroup(const plan::Group &group) {
    const int64_t size = group.axis() == plan::TP ? tp_ : group.axis() == plan::DP ? dp_ : tp_ * dp_;
    std::set<uint32_t> members;
    for (uint32_t tpRank : group.ranks()) {
      if (tpRank >= size) return problem("group", "it names a rank outside the mesh", "compile the plan again");
      if (!members.insert(tpRank).second) return problem("group", "it names a rank twice", "compile the plan again");
    }
    for (uint32_t tpRank : group.ranks())
      for (int64_t d = 0; d < dp_ && group.axis() != plan::TP; ++d)
        if (!members.count(uint32_t(group.axis() == plan::DP ? d : d * tp_ + tpRank % tp_)))
          return problem("group", "it leaves out a dp rank that runs the same program", "compile the plan again");
    return llvm::Error::success();
  }

  llvm::Error checkParameter(const plan::Parameter &parameter) {
    if (llvm::Error error = checkTensor(parameter.tensor(), "parameter " + parameter.name())) return error;
    bool fits = parameter.covers_size() == parameter.global_shape_size() &&
                parameter.covers_size() == parameter.tensor().shape_size() &&
                parameter.bucket() < uint32_t(program_.buckets_size());
    for (int d = 0; fits && d < parameter.covers_size(); ++d) {
      const plan::Cover &cover = parameter.covers(d);
      int64_t held = 0, at = 0;
      fits = cover.begins_size() == cover.ends_size();
      for (int i = 0; fits && i < cover.begins_size(); ++i) {
        fits = cover.begins(i) >= at && cover.ends(i) >= cover.begins(i) && cover.ends(i) <= parameter.global_shape(d);
        held += cover.ends(i) - cover.begins(i);
        at = cover.ends(i);
      }
      fits = fits && held == parameter.tensor().shape(d);
    }
    if (!fits)
      return problem("parameter '" + escaped(parameter.name()) + "'", "its covers do not fit its shape",
                     "compile the plan again");
    return isAtItsPlace(parameter, program_.buckets(int(parameter.bucket())))
               ? llvm::Error::success()
               : problem("parameter '" + escaped(parameter.name()) + "'", "it does not lie in its bucket",
                         "compile the plan again");
  }

  static bool isAtItsPlace(const plan::Parameter &parameter, const plan::Bucket &bucket) {
    const plan::TensorRef &tensor = parameter.tensor(), &all = bucket.parameters();
    const uint64_t begin = parameter.bucket_begin(), elements = uint64_t(bucket.elements());
    if (tensor.dtype() != all.dtype() || tensor.dp_stride() || bucket.elements() < 0 || begin > elements ||
        uint64_t(elementsOf(tensor)) > elements - begin)
      return false;
    const bool isWhole = elementsOf(all) == bucket.elements();
    return tensor.offset() == (isWhole ? all.offset() + begin * sizeOf(DType(all.dtype())) : 0);
  }

  llvm::Error checkInstruction(const plan::Instruction &instruction) {
    if (instruction.has_kernel()) {
      const plan::KernelCall &call = instruction.kernel();
      if (call.kernel() == uint32_t(KernelId::None) || call.kernel() > UINT16_MAX ||
          nameOf(KernelId(call.kernel())) == "?")
        return problem("instruction '" + escaped(instruction.name()) + "'", "its kernel does not exist",
                       "compile the plan again with this autotp-compile");
      for (const auto *list : {&call.operands(), &call.results()})
        for (const plan::TensorRef &tensor : *list)
          if (llvm::Error error = checkTensor(tensor, "instruction " + instruction.name())) return error;
      if (call.workspace_offset() > program_.arena_bytes() ||
          call.workspace_bytes() > program_.arena_bytes() - call.workspace_offset())
        return problem("instruction '" + escaped(instruction.name()) + "'", "its workspace lies outside the arena");
      return llvm::Error::success();
    }
    if (!instruction.has_collective())
      return problem("instruction '" + escaped(instruction.name()) + "'", "it does nothing", "compile the plan again");
    const plan::Collective &collective = instruction.collective();
    if (collective.group() >= uint32_t(program_.groups_size()))
      return problem("instruction '" + escaped(instruction.name()) + "'", "its group does not exist");
    if (llvm::Error error = checkTensor(collective.operand(), "instruction " + instruction.name())) return error;
    if (llvm::Error error = checkTensor(collective.result(), "instruction " + instruction.name())) return error;
    return checkCounts(instruction, collective);
  }

  /// The collectives of each group are numbered from 0 in each section: none is missing.
  llvm::Error checkSequences() {
    for (const plan::Section &section : program_.sections()) {
      std::vector<uint64_t> next(size_t(program_.groups_size()), 0);
      for (const plan::Instruction &instruction : section.instructions())
        if (instruction.has_collective() &&
            instruction.collective().sequence() != next[instruction.collective().group()]++)
          return problem("instruction '" + escaped(instruction.name()) + "'", "a collective before it is missing",
                         "compile the plan again");
    }
    return llvm::Error::success();
  }

  /// What goes in and out of a collective agrees with its group.
  llvm::Error checkCounts(const plan::Instruction &instruction, const plan::Collective &c) {
    int64_t members = program_.groups(int(c.group())).ranks_size(), in = elementsOf(c.operand()),
            out = elementsOf(c.result()), sum = 0;
    const bool isOneByte = sizeOf(DType(c.operand().dtype())) == 1; // moved, but never added
    bool fits = c.operand().dtype() == c.result().dtype() && (c.counts_size() == 0 || c.counts_size() == members) &&
                !(isOneByte && combines(c.kind()));
    for (int64_t count : c.counts()) {
      fits = fits && count >= 0 && count <= std::max(in, out);
      sum += count;
    }
    switch (c.kind()) {
    case plan::ALL_REDUCE_SUM:
    case plan::ALL_REDUCE_MAX:
      fits = fits && in == out;
      break;
    case plan::REDUCE_SCATTER_SUM:
      fits = fits && (c.counts_size() ? sum == in : out * members == in);
      break;
    case plan::ALL_GATHER:
      fits = fits && (c.counts_size() ? sum == out : in * members == out);
      break;
    default:
      fits = false;
    }
    return fits ? llvm::Error::success()
                : problem("instruction '" + escaped(instruction.name()) + "'", "its collective does not fit its group",
                          "compile the plan again");
  }

  const plan::Program &program_;
  int64_t tp_, dp_;
};

} // namespace

static llvm::Error forEachCall(const plan::Program &program,
                               llvm::function_ref<llvm::Error(const plan::Instruction &, const KernelCall &)> check) {
  for (const plan::Section &section : program.sections())
    for (const plan::Instruction &instruction : section.instructions()) {
      if (!instruction.has_kernel()) continue;
      const KernelCall call{KernelId(instruction.kernel().kernel()), kernelArgs(instruction.kernel()), ""};
      if (llvm::Error error = check(instruction, call)) return error;
    }
  return llvm::Error::success();
}

static std::string placeOf(const plan::Instruction &instruction) {
  return "instruction '" + escaped(instruction.name()) + "' (from " + escaped(instruction.origin()) + ")";
}

llvm::Error checkDTypes(const plan::Program &program) {
  return forEachCall(program, [](const plan::Instruction &instruction, const KernelCall &call) -> llvm::Error {
    const std::optional<DType> dtype = unsupportedDType(call);
    if (!dtype) return llvm::Error::success();
    return problem(placeOf(instruction),
                   "no device computes " + nameOf(call.kernel).str() + " in " + nameOf(*dtype).str(),
                   "let the model compute it in another type");
  });
}

llvm::Error checkCalls(const plan::Program &program) {
  return forEachCall(program, [](const plan::Instruction &instruction, const KernelCall &call) -> llvm::Error {
    return llvm::handleErrors(checkCall(call), [&](const llvm::ErrorInfoBase &error) {
      return problem(placeOf(instruction), error.message());
    });
  });
}

llvm::Error checkProgram(const plan::Program &program, int64_t tp, int64_t dp) {
  return ProgramChecker(program, tp, dp).run();
}

} // namespace autotp
