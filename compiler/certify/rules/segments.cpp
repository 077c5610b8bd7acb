#include "compiler/certify/rules/segments.h"

#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/refusal.h"

namespace autotp {

llvm::SmallVector<Interval, 2> Segments::within(const Interval &window, int64_t dpRank, int64_t shift) const {
  const int64_t before = dpRank * stride - shift; // segments count from there
  llvm::SmallVector<Interval, 2> parts;
  for (auto next = llvm::partition_point(sorted, [&](const Interval &i) { return i.end <= window.begin + before; });
       next != sorted.end() && next->begin < window.end + before; ++next)
    parts.push_back({std::max(next->begin - before, window.begin), std::min(next->end - before, window.end)});
  return parts;
}

llvm::Expected<Segments> segmentsOf(const plan::KernelCall &call, bool isSliced, int64_t dp) {
  const plan::Attribute *begins = attributeOf(call, "begins"), *ends = attributeOf(call, "ends"),
                        *slice = attributeOf(call, "dp_slice");
  if (!begins || !ends || begins->integers().values_size() != ends->integers().values_size())
    return refuse("it has no segments");
  Segments segments{{}, 0};
  for (int i = 0; i < begins->integers().values_size(); ++i) {
    const Interval next{begins->integers().values(i), ends->integers().values(i)};
    if (next.begin > next.end || next.begin < (segments.sorted.empty() ? 0 : segments.sorted.back().end))
      return refuse("its segments are not sorted, or overlap");
    segments.sorted.push_back(next);
  }
  if (!slice || slice->value_case() != plan::Attribute::kInteger || (!isSliced && dp > 1 && slice->integer() != 0))
    return refuse("its segments are not those of its operand's slice");
  segments.stride = slice->integer();
  return segments;
}

int64_t elementsOf(llvm::ArrayRef<Interval> intervals) {
  int64_t elements = 0;
  for (const Interval &interval : intervals)
    elements += interval.end - interval.begin;
  return elements;
}

} // namespace autotp
