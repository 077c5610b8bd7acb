// compiler/certify/rules/rule_table.cpp: which rule is for which kernel.
#include "compiler/certify/contents/contents.h"
#include "compiler/certify/rules/rules.h"

namespace autotp {
namespace {

struct Row {
  KernelId kernel;
  Rule &rule;
};
/// Every other kernel computes an operator of the graph.
constexpr Row kRules[] = {
    {KernelId::Copy, moveCall},
    {KernelId::Slice, moveCall},
    {KernelId::Concat, moveCall},
    {KernelId::Cast, castCall},
    {KernelId::Accumulate, accumulate},
    {KernelId::SumSquares, sumSquares},
    {KernelId::GradScale, scaleGradients},
    {KernelId::LossScale, decideStep},
    {KernelId::Adam, updateParameters},
    {KernelId::Adagrad, updateParameters},
    {KernelId::Momentum, updateParameters},
    {KernelId::Sgd, updateParameters},
};

// These say what operands hold, by which the rules of numbers are told apart.
const Content *firstOf(Reads reads) { return reads.empty() ? nullptr : reads[0].content; }
bool isSkipped(Reads reads) { return firstOf(reads) && firstOf(reads)->is(StepNumber::IsSkipped); }
bool isScaleOrSkip(Reads reads) { return firstOf(reads) && firstOf(reads)->is(StepNumber::ScaleOrSkip); }
bool isSquares(Reads reads) {
  return firstOf(reads) && (firstOf(reads)->as<SumOfSquares>() || firstOf(reads)->is(StepNumber::AllSquares));
}
bool isAccumulated(Reads reads) { return firstOf(reads) && firstOf(reads)->summedOver().microSteps; }
bool isOfSchedule(Reads reads) {
  return llvm::any_of(reads, [](const OperandRead &read) { return read.content && read.content->as<ScheduleValue>(); });
}

struct NumberRow {
  KernelId kernel; ///< None: any
  bool (*applies)(Reads reads);
  NumberRule &rule;
};
/// The first that applies is taken.
constexpr NumberRow kNumberRules[] = {
    {KernelId::Where, isSkipped, keepWhereSkipped},      // of values of the schedule, so before the next row
    {KernelId::None, isOfSchedule, scheduleCall},        // whatever the kernel
    {KernelId::Add, isSquares, addSquares},              // of two buckets
    {KernelId::IsNan, isScaleOrSkip, askWhetherSkipped}, // with a loss scale
    {KernelId::Mul, isAccumulated, scaleDivisor},        // with a loss scale
    {KernelId::Div, isAccumulated, meanLoss},
};

} // namespace

Rule &ruleOf(KernelId kernel) {
  const Row *row = llvm::find_if(kRules, [&](const Row &r) { return r.kernel == kernel; });
  return row == std::end(kRules) ? operatorCall : row->rule;
}

NumberRule *numberRuleOf(KernelId kernel, Reads reads) {
  for (const NumberRow &row : kNumberRules)
    if ((row.kernel == kernel || row.kernel == KernelId::None) && row.applies(reads)) return &row.rule;
  return nullptr;
}

} // namespace autotp
