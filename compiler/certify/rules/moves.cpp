// compiler/certify/rules/moves.cpp: copies, slices and concats that move whole bytes.
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/buckets.h"

namespace autotp {
namespace {

/// Operands and result are alike but for the dimension that is joined or cut.
llvm::Error checkMovedShapes(const plan::KernelCall &call, int64_t axis) {
  const bool isCopy = KernelId(call.kernel()) == KernelId::Copy;
  if (call.results_size() != 1) return refuse("it has not one result");
  const plan::TensorRef &result = call.results(0);
  for (const plan::TensorRef &ref : call.operands()) {
    if (ref.shape_size() != result.shape_size() || (!isCopy && (axis < 0 || axis >= result.shape_size())))
      return refuse("it joins or cuts a dimension that is not there");
    for (int d = 0; d < ref.shape_size(); ++d)
      if (ref.shape(d) != result.shape(d) && (isCopy || d != axis))
        return refuse("its operand is of another shape than its result");
  }
  return llvm::Error::success();
}

/// Reads what the operands hold, one after the other.
llvm::Expected<Pieces> readInOrder(TpRank &rank, const plan::KernelCall &call) {
  Pieces held;
  for (const plan::TensorRef &ref : call.operands()) {
    if (KernelId(call.kernel()) == KernelId::Slice) joinGradients(rank, ref);
    llvm::Expected<Pieces> own = rank.readPieces(ref);
    if (!own) return own.takeError();
    llvm::append_range(held, *own);
    if (ref.dtype() != call.results(0).dtype()) return refuse("its operand is of another dtype");
  }
  return held;
}

/// Returns the first byte that a slice of the outermost dimension takes.
uint64_t sliceBegin(const plan::KernelCall &call, int64_t axis) {
  const plan::TensorRef &result = call.results(0);
  uint64_t inner = sizeOf(DType(result.dtype()));
  for (int d = int(axis) + 1; d < result.shape_size(); ++d)
    inner *= uint64_t(result.shape(d));
  return uint64_t(integerOf(call, "start", 0)) * inner;
}

/// Proves a copy, or a concat or slice of the outermost dimension, which moves bytes in their order.
llvm::Error moveBytes(TpRank &rank, const plan::KernelCall &call, int64_t axis) {
  llvm::Expected<Pieces> moved = readInOrder(rank, call);
  if (!moved) return moved.takeError();
  const plan::TensorRef &result = call.results(0);
  uint64_t bytes = 0;
  for (const plan::TensorRef &ref : call.operands())
    bytes += bytesOf(ref);
  if (KernelId(call.kernel()) == KernelId::Slice) {
    const uint64_t begin = sliceBegin(call, axis);
    if (begin + bytesOf(result) > bytes) return refuse("it takes elements that are not there");
    rank.write(result, sub(*moved, begin, bytesOf(result)));
    return llvm::Error::success();
  }
  if (bytes != bytesOf(result)) return refuse("its result is not as large as its operands");
  rank.write(result, *moved);
  return llvm::Error::success();
}

} // namespace

llvm::Error moveCall(TpRank &rank, const plan::KernelCall &call) {
  const int64_t axis = integerOf(call, "axis", 0);
  if (llvm::Error error = checkMovedShapes(call, axis)) return error;
  const KernelId kernel = KernelId(call.kernel());
  const bool hasSteps = kernel == KernelId::Slice && integerOf(call, "step", 1) != 1;
  const bool isOuter = !hasSteps && outerElements(call.results(0), axis) == 1;
  return isOuter || kernel == KernelId::Copy ? moveBytes(rank, call, axis) : operatorCall(rank, call);
}

} // namespace autotp
