// compiler/certify/rules/moved_values.cpp: results that need no operator of the graph.
#include "compiler/certify/moves/cuts.h"
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include <cmath>

namespace autotp {
namespace {

bool isZeroResult(const plan::KernelCall &call, Reads reads) {
  const OpDef *row = GlobalValues::rowOf(KernelId(call.kernel()));
  if (!row) return false;
  bool areZero = true;
  for (auto [k, read] : indexed(reads)) {
    const bool isZero = !read.content || read.content->isZero();
    areZero &= isZero;
    // An operator that is linear in an operand of zeros gives zeros, whatever the others are.
    if (isZero && read.content && !row->isAdditive && row->hasLinear(unsigned(k))) return true;
  }
  const bool nothingIsSummed = llvm::all_of(reads, [](const OperandRead &read) { return !read.content; });
  const bool isSum = row->linearIn != 0 || KernelId(call.kernel()) == KernelId::CrossEntropy;
  return !reads.empty() && areZero && (row->isAdditive || (nothingIsSummed && isSum));
}

bool isZero(const OperandRead &read) { return read.content && read.content->isZero(); }

/// Returns the number that the result is throughout; nothing if it is none.
std::optional<double> fillOf(const plan::KernelCall &call, Reads reads) {
  const KernelId kernel = KernelId(call.kernel());
  if (kernel == KernelId::Full) {
    const plan::Attribute *value = attributeOf(call, "value");
    return value ? value->real() : 0;
  }
  if (isZeroResult(call, reads)) return 0;
  if (kernel == KernelId::ReduceMax && !reads[0].content) return -HUGE_VAL; // nothing to take the maximum of
  if (kernel == KernelId::Where && isZero(reads[1]) && isZero(reads[2])) return 0;
  return std::nullopt;
}

const Content *concatOf(Proof &proof, const plan::KernelCall &call, Reads reads) {
  llvm::SmallVector<const Content *, 4> contents;
  std::vector<Sizes> shapes;
  for (const OperandRead &read : reads) {
    contents.push_back(read.content);
    shapes.push_back(read.shape);
  }
  return proof.joins.concat(contents, shapes, size_t(integerOf(call, "axis", 0)));
}

const Content *sliceOf(Proof &proof, const plan::KernelCall &call, Reads reads) {
  const auto axis = size_t(integerOf(call, "axis", 0));
  if (!reads[0].content || axis >= reads[0].shape.size()) return nullptr;
  const int64_t start = integerOf(call, "start", 0), length = call.results(0).shape(int(axis));
  return slice(proof.symbols, *reads[0].content, reads[0].shape,
               {axis, {start, start + length}, integerOf(call, "step", 1)});
}

/// Proves where(mask, value, 0).
const Content *maskedOf(Proof &proof, const plan::KernelCall &call, Reads reads) {
  const auto *mask = reads[0].content ? reads[0].content->as<Constant>() : nullptr;
  if (!mask || mask->isFill() || !reads[1].content || !isZero(reads[2]) || shapeOf(call.results(0)) != reads[1].shape)
    return nullptr;
  return masked(proof.symbols, *reads[1].content, reads[1].shape, {mask->data, reads[0].shape});
}

} // namespace

const Content *movedValue(Proof &proof, const plan::KernelCall &call, Reads reads) {
  const plan::TensorRef &result = call.results(0);
  if (std::optional<double> fill = fillOf(call, reads))
    return proof.symbols.store.add({DType(result.dtype()), bytesOf(result), Constant{{}, *fill}});
  switch (KernelId(call.kernel())) {
  case KernelId::Slice:
    return sliceOf(proof, call, reads);
  case KernelId::Concat:
    return concatOf(proof, call, reads);
  case KernelId::Where:
    return maskedOf(proof, call, reads);
  default:
    return nullptr;
  }
}

} // namespace autotp
