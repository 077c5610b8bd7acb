#include "runtime/train/non_finite.h"

#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/kernels/kernel_id.h"

#include "llvm/Support/FormatVariadic.h"

#include <optional>
#include <tuple>

namespace autotp {
namespace {

constexpr const char *kStatistics = "batch_statistics", *kMicroStep = "micro_step";

const plan::Section *sectionOf(const plan::Program &program, llvm::StringRef name) {
  for (const plan::Section &section : program.sections())
    if (section.name() == name) return &section;
  return nullptr;
}

/// The nodes whose sums over the global batch are 0, as a list for messages; empty if there are none.
std::string emptySums(const Executor &executor) {
  std::string nodes;
  const plan::Section *section = sectionOf(executor.program(), kStatistics);
  if (!section) return nodes;
  for (const plan::Instruction &step : section->instructions()) {
    if (!step.has_kernel() || KernelId(step.kernel().kernel()) != KernelId::Accumulate) continue;
    const plan::TensorRef &sum = step.kernel().results(0);
    std::vector<float> held(size_t(elementsOf(sum)));
    executor.download(sum, held.data());
    for (float value : held)
      if (value == 0) {
        nodes += (nodes.empty() ? "'" : ", '") + escaped(step.origin()) + "'";
        break;
      }
  }
  return nodes;
}

/// What one rank found, as floats so that ranks can add them up. Each rank has its own places.
struct Found {
  float isFound = 0, microStep = 0, step = 0;
};

/// Begins the step anew, since the accumulators hold what is not finite, whatever a micro-step adds.
llvm::Error beginAgain(Executor &executor, const FailedStep &failed) {
  executor.zeroAccumulators();
  for (int64_t micro = 0; executor.has(kStatistics) && micro < failed.microSteps; ++micro) {
    if (llvm::Error error = failed.feed(micro)) return error;
    if (llvm::Error error = executor.run(kStatistics)) return error;
  }
  return llvm::Error::success();
}

llvm::Expected<Found> find(Executor &executor, const FailedStep &failed) {
  Found found;
  if (llvm::Error error = beginAgain(executor, failed)) return error;
  for (int64_t micro = 0; micro < failed.microSteps; ++micro) {
    if (llvm::Error error = failed.feed(micro)) return error;
    llvm::Expected<int> step = executor.firstNonFinite(kMicroStep);
    if (!step) return step.takeError();
    if (*step >= 0 && found.isFound == 0) found = {1, float(micro), float(*step)};
  }
  return found;
}

llvm::Error explain(const FailedStep &failed, const std::vector<float> &all, const std::string &empty) {
  const std::string where = "step " + std::to_string(failed.step);
  const std::string what =
      llvm::formatv("its loss is {0} and its gradient norm {1}", failed.loss, failed.gradNorm).str();
  if (!empty.empty())
    return problem(where, what + ": the sum over the batch of node " + empty + " is 0, and the loss divides by it",
                   "feed batches that hold at least one element that counts, or bound the sum from below in the model");
  std::optional<std::tuple<int, int, int>> first; // ranks that get the value by a collective find it at a later step
  for (size_t rank = 0; rank < all.size() / 3; ++rank) {
    if (all[rank * 3] == 0) continue;
    const auto here = std::make_tuple(int(all[rank * 3 + 1]), int(all[rank * 3 + 2]), int(rank));
    if (!first || here < *first) first = here;
  }
  if (first) {
    const auto [microStep, index, rank] = *first;
    const plan::Instruction &instruction = sectionOf(failed.programOf(rank), kMicroStep)->instructions(index);
    return problem(where,
                   llvm::formatv("{0}; the first value that is not finite is '{1}' of node '{2}', on rank {3} in "
                                 "micro-step {4}",
                                 what, escaped(instruction.name()), escaped(instruction.origin()), rank, microStep + 1)
                       .str(),
                   failed.isScaled
                       ? "look at the data of this step, or compile with a smaller --loss-scale; fp16 skips such a "
                         "step without --check-finite"
                       : "look at the data of this step, or lower --lr; nothing was updated in it");
  }
  return problem(where, what + "; every gradient is finite: their squares or sums are not",
                 "lower --lr, or scale the loss down");
}

} // namespace

llvm::Error explainNonFinite(Executor &executor, Group &world, const FailedStep &failed) {
  const std::string empty = emptySums(executor);
  llvm::Expected<Found> found = find(executor, failed);
  if (!found) return found.takeError();
  std::vector<float> all(world.size() * 3, 0);
  float *own = all.data() + size_t(failed.rank) * 3;
  own[0] = found->isFound;
  own[1] = found->microStep;
  own[2] = found->step;
  if (llvm::Error error = executor.sumIntoFirst(world, all)) return error;
  if (failed.rank == 0) return explain(failed, all, empty);
  return executor.sumIntoFirst(world, all); // rank 0 does not take part, and ends this with its error
}

} // namespace autotp
