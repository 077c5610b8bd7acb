// compiler/certify/rules/schedule_calls.cpp: calls on scalars of the schedule of updates.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"

namespace autotp {

llvm::Error scheduleCall(TpRank &rank, const plan::KernelCall &call, Reads reads) {
  const Schedule &schedule = rank.proof.schedule;
  llvm::SmallVector<const Content *, 4> operands;
  for (const OperandRead &read : reads)
    operands.push_back(read.content);
  std::optional<ValueId> value = schedule.resultOf(call, operands);
  if (!value) return refuse("the schedule does not compute this");
  const Type &type = schedule.type(*value);
  const plan::TensorRef &ref = call.results(0);
  if (DType(ref.dtype()) != type.dtype || bytesOf(ref) != type.bytes())
    return refuse("its result is not as large as what it computes");
  rank.writeNew(ref, ScheduleValue{*value});
  return llvm::Error::success();
}

} // namespace autotp
