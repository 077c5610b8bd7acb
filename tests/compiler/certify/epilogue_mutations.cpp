// Faults in biases that are added within products.
#include "tests/compiler/certify/mutation_places.h"

namespace autotp::test {
namespace {

/// A tp rank adds another one's part of a bias.
bool biasOfAnotherRank(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf({KernelId::MatMulBias, KernelId::MatMulBiasGelu}), at)) return false;
  const plan::TensorRef bias = stepAt(programs, at).kernel().operands(2);
  plan::Program &program = programs[at.program];
  const plan::Program &other = programs[(at.program + 1) % programs.size()];
  for (int i = 0; i < program.parameters_size(); ++i) {
    plan::Parameter &own = *program.mutable_parameters(i);
    if (!isSamePlace(own.tensor(), bias) || own.covers_size() != 1) continue;
    const plan::Cover &theirs = other.parameters(i).covers(0);
    if (own.covers(0).SerializeAsString() == theirs.SerializeAsString() ||
        !llvm::equal(own.tensor().shape(), other.parameters(i).tensor().shape()))
      return false;
    where = textOf(programs, at) + " bias " + own.name();
    *own.mutable_covers(0) = theirs;
    return true;
  }
  return false;
}

/// What is summed over tp, and then has a bias added: the step of the sum and that of the bias.
struct SumAndBias {
  int product = -1, sum = -1, add = -1;
};
SumAndBias findBiasAfterSum(const plan::Section &section) {
  SumAndBias at;
  for (int i = 1; i + 1 < section.instructions_size(); ++i) {
    const plan::Instruction &product = section.instructions(i - 1), &sum = section.instructions(i),
                            &add = section.instructions(i + 1);
    if (product.has_kernel() && KernelId(product.kernel().kernel()) == KernelId::MatMul && sum.has_collective() &&
        isSamePlace(sum.collective().operand(), product.kernel().results(0)) && add.has_kernel() &&
        KernelId(add.kernel().kernel()) == KernelId::Add &&
        isSamePlace(add.kernel().operands(0), sum.collective().result()) &&
        elementsOf(add.kernel().operands(1)) == product.kernel().results(0).shape().rbegin()[0])
      return {i - 1, i, i + 1};
  }
  return at;
}

/// Each tp rank adds the bias to its part of the sum, so that the sum has it as often as there are tp ranks.
bool biasBeforeTheSum(Programs &programs, Random &, std::string &where) {
  for (plan::Program &program : programs) {
    plan::Section &section = microStep(program);
    const SumAndBias at = findBiasAfterSum(section);
    if (at.add < 0) return false;
    const plan::KernelCall add = section.instructions(at.add).kernel();
    plan::KernelCall &product = *section.mutable_instructions(at.product)->mutable_kernel();
    product.set_kernel(uint32_t(KernelId::MatMulBias));
    *product.add_operands() = add.operands(1);
    moveTo(*section.mutable_instructions(at.sum)->mutable_collective()->mutable_result(), add.results(0));
    section.mutable_instructions()->DeleteSubrange(at.add, 1);
    where = section.instructions(at.product).name();
  }
  return true;
}

} // namespace

std::vector<MutationKind> epilogueMutations() {
  return {{"bias of another rank", biasOfAnotherRank}, {"bias before the sum", biasBeforeTheSum}};
}

} // namespace autotp::test
