#include "runtime/plan/program_text.h"

#include "runtime/base/digest.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/collective.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/kernels/kernel_id.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {
namespace {

std::string tensorText(const plan::TensorRef &t, bool hasAddress) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << nameOf(DType(t.dtype())) << "[";
  llvm::interleave(t.shape(), os, ",");
  os << "]";
  if (!hasAddress) return os.str();
  os << "@" << t.offset();
  if (t.dp_stride()) os << "+dp*" << t.dp_stride();
  return os.str();
}

std::string attributeText(const plan::Attribute &attribute) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << attribute.name() << "=";
  if (attribute.value_case() == plan::Attribute::kInteger) os << attribute.integer();
  if (attribute.value_case() == plan::Attribute::kReal) os << llvm::json::Value(attribute.real());
  if (attribute.value_case() == plan::Attribute::kIntegers) {
    os << "[";
    llvm::interleave(attribute.integers().values(), os, ",");
    os << "]";
  }
  return os.str();
}

/// Constants go by a digest of their bytes.
std::string constantText(const plan::Constant &constant, bool hasAddresses) {
  return "constant " + tensorText(constant.tensor(), hasAddresses) + " " + digestOf(constant.data());
}

std::string bucketText(const plan::Bucket &bucket, bool hasAddresses) {
  std::string text = "bucket of " + std::to_string(bucket.elements()) + ": gradients " +
                     tensorText(bucket.accumulator(), hasAddresses);
  if (bucket.has_master()) text += ", master " + tensorText(bucket.master(), hasAddresses);
  for (const plan::OptimizerState &state : bucket.states()) {
    text += ", " + state.name() + " " + tensorText(state.tensor(), hasAddresses);
    if (state.initial() != 0) text += " from " + llvm::formatv("{0}", state.initial()).str();
  }
  return text;
}

std::string stepText(const plan::Program &program, const plan::Instruction &instruction, bool hasAddresses) {
  auto write = [&](const plan::TensorRef &t) { return tensorText(t, hasAddresses); };
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "%" << instruction.name() << " = ";
  if (instruction.has_collective()) {
    const plan::Collective &c = instruction.collective();
    const plan::Group &group = program.groups(int(c.group()));
    os << nameOf(c.kind()) << "(" << write(c.operand()) << ") over " << nameOf(group.axis()) << "[";
    llvm::interleave(group.ranks(), os, ",");
    os << "] #" << c.sequence() << " -> " << write(c.result());
  } else {
    os << nameOf(KernelId(instruction.kernel().kernel())) << "(";
    llvm::interleave(
        instruction.kernel().operands(), os, [&](const plan::TensorRef &t) { os << write(t); }, ", ");
    os << ") -> ";
    llvm::interleave(
        instruction.kernel().results(), os, [&](const plan::TensorRef &t) { os << write(t); }, ", ");
    if (instruction.kernel().attributes_size() > 0) os << " {";
    llvm::interleave(
        instruction.kernel().attributes(), os, [&](const plan::Attribute &a) { os << attributeText(a); }, ", ");
    if (instruction.kernel().attributes_size() > 0) os << "}";
  }
  for (uint32_t event : instruction.waits())
    os << " waits " << event;
  if (instruction.signals()) os << " signals " << instruction.signals() - 1;
  os << "   # " << instruction.origin();
  return os.str();
}

} // namespace

std::vector<std::string> linesOf(const plan::Program &program, bool hasAddresses) {
  std::vector<std::string> lines;
  for (const plan::Parameter &p : program.parameters()) {
    const plan::Bucket &bucket = program.buckets(int(p.bucket()));
    const bool isSliced = elementsOf(bucket.parameters()) != bucket.elements();
    lines.push_back("parameter " + p.name() + " " + tensorText(p.tensor(), hasAddresses && !isSliced));
    if (isSliced && hasAddresses)
      lines.back() += llvm::formatv(", from element {0} of slices {1}", p.bucket_begin(),
                                    tensorText(bucket.parameters(), hasAddresses));
  }
  for (const plan::Bucket &bucket : program.buckets())
    lines.push_back(bucketText(bucket, hasAddresses));
  for (const plan::Constant &constant : program.constants())
    lines.push_back(constantText(constant, hasAddresses));
  for (const plan::State &state : program.states())
    lines.push_back("state " + state.name() + " " + tensorText(state.tensor(), hasAddresses) + " from " +
                    digestOf(state.data()));
  for (const plan::Section &section : program.sections()) {
    lines.push_back(section.name() + ":");
    for (const plan::Instruction &instruction : section.instructions())
      lines.push_back("  " + stepText(program, instruction, hasAddresses));
  }
  return lines;
}

} // namespace autotp
