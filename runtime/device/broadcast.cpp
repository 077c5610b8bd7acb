#include "runtime/device/broadcast.h"

namespace autotp {

namespace {

/// Strides of one operand along the result's dimensions: 0 where it is broadcast.
llvm::Expected<std::vector<int64_t>> stridesOf(const KernelCall &call, const TensorArg &operand,
                                               const ArgShape &result) {
  std::vector<int64_t> strides(result.size(), 0);
  if (operand.shape.size() > result.size()) return mistake(call, "an operand has more dimensions than the result");
  int64_t stride = 1;
  for (size_t i = 0; i < operand.shape.size(); ++i) {
    const int64_t size = operand.shape[operand.shape.size() - 1 - i];
    const size_t dimension = result.size() - 1 - i;
    if (size != result[dimension] && size != 1) return mistake(call, "an operand does not broadcast to the result");
    strides[dimension] = size == 1 ? 0 : stride;
    stride *= size;
  }
  return strides;
}

} // namespace

llvm::Expected<BroadcastRows> broadcastRows(const KernelCall &call) {
  const ArgShape &result = call.args.results[0].shape;
  std::vector<BroadcastRows::Outer> merged; // from the innermost
  std::vector<std::vector<int64_t>> strides;
  for (const TensorArg &operand : call.args.operands) {
    auto own = stridesOf(call, operand, result);
    if (!own) return own.takeError();
    strides.push_back(std::move(*own));
  }
  for (size_t i = result.size(); i-- > 0;) {
    if (result[i] == 1) continue;
    BroadcastRows::Outer dimension{result[i], {}};
    for (size_t o = 0; o < strides.size(); ++o)
      dimension.strides[o] = strides[o][i];
    bool merges = !merged.empty();
    for (size_t o = 0; merges && o < strides.size(); ++o)
      merges = dimension.strides[o] == merged.back().strides[o] * merged.back().size;
    if (merges)
      merged.back().size *= dimension.size;
    else
      merged.push_back(dimension);
  }
  BroadcastRows rows;
  if (merged.empty()) return rows;
  rows.inner = merged.front().size;
  rows.innerStrides = merged.front().strides;
  rows.outer.assign(merged.rbegin(), merged.rend() - 1);
  for (const BroadcastRows::Outer &dimension : rows.outer)
    rows.rows *= dimension.size;
  return rows;
}

} // namespace autotp
