#include "runtime/device/cpu/attention_problem.h"

namespace autotp::cpu {

/// Parts of nearly equal cost: the keys of each block, and a share for what does not depend on them.
static std::vector<BlockRange> divided(const AttentionProblem &p) {
  const int64_t ofHead = p.blocksOfHead(), heads = p.z.b * p.z.h;
  const auto costOf = [&](int64_t block) {
    return p.keysFor(std::min((block % ofHead + 1) * kQueryRows, p.z.s)) + kAttentionLanes;
  };
  int64_t headCost = 0;
  for (int64_t block = 0; block < ofHead; ++block)
    headCost += costOf(block);
  std::vector<BlockRange> parts;
  int64_t at = 0, cost = 0;
  for (int64_t part = 1; part <= p.threads; ++part) {
    const int64_t begin = at, target = headCost * heads * part / p.threads;
    for (; cost < target; ++at)
      cost += costOf(at);
    parts.push_back({begin, at});
  }
  return parts;
}

AttentionProblem::AttentionProblem(const Call &call) : z(attentionSizes(call)), threads(call.threads) {
  scale = float(call.args.attributes.real("scale", 1));
  isCausal = call.args.attributes.integer("causal");
  replaces = call.args.attributes.integer("replaces");
  if (const TensorArg *tensor = attentionMask(call)) {
    mask = tensor->as<float>();
    maskStrides = autotp::maskStrides(*tensor);
  }
  parts = divided(*this);
}

QueryBlock AttentionProblem::block(int64_t at) const {
  const int64_t group = at / blocksOfGroup(), ofGroup = at % blocksOfGroup() / blocksOfHead(),
                begin = at % blocksOfHead() * kQueryRows;
  return {group, group / z.kv, group % z.kv * (z.h / z.kv) + ofGroup, begin, std::min(begin + kQueryRows, z.s)};
}

void panelProduct(Strided left, int64_t rows, int64_t columns, const float *panels, int64_t begin, int64_t keys,
                  float *to) {
  for (int64_t j = 0; j < keys; j += kPanelKeys)
    tileProduct(left, panels + (begin + j) * columns, kPanelKeys, to + j, kScoreStride, rows,
                roundedUp(std::min(kPanelKeys, keys - j), kAttentionLanes), columns, false);
}

void hideKeys(const AttentionProblem &p, const QueryBlock &block, int64_t begin, int64_t keys, float *scores) {
  const int64_t end = roundedUp(keys, kAttentionLanes);
  for (int64_t r = 0; r < block.rows(); ++r) {
    float *row = scores + r * kScoreStride;
    const int64_t seen = p.seenBy(block, r, begin, keys);
    const float *mask = p.mask ? p.maskRow(block, r, begin) : nullptr;
    for (int64_t j = 0; j < seen && mask; ++j)
      row[j] += mask[j * p.maskStrides[3]];
    for (int64_t j = seen; j < end; ++j)
      row[j] = -kInfinity;
  }
}

} // namespace autotp::cpu
