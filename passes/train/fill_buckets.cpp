#include "passes/train/fill_buckets.h"

#include "compiler/ir/updates.h"
#include "passes/train/build_steps.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// In elements of f32: a slice begins on a cache line of 64 bytes.
constexpr int64_t kSliceAlignment = 16;

/// Parameters in the order in which their gradients are ready. From stage 1 on, the states of parameters that tp leaves
/// whole are divided over tp as well, so these parameters are a kind of their own.
std::vector<LocalParameter> byReadiness(const LocalProgram &local, const StepOptions &o) {
  const Graph &g = local.graph;
  std::vector<unsigned> position(g.numNodes(), 0);
  for (auto [i, id] : indexed(g.order()))
    position[id] = unsigned(i);
  auto readyAt = [&](const LocalParameter &p) {
    return g.value(p.gradient).producer == kNone ? 0 : position[g.value(p.gradient).producer];
  };
  std::vector<LocalParameter> order = local.parameters;
  llvm::stable_sort(order, [&](const auto &a, const auto &b) { return readyAt(a) < readyAt(b); });
  for (LocalParameter &parameter : order)
    parameter.isReplicated &= o.tp > 1 && (o.zero >= 1 || parameter.isPartial);
  return order;
}

/// The most bytes of f32 gradients in a bucket. If parameters are gathered, two buckets are whole at a time; then no
/// bucket is larger than a rank's even share of the largest parameter, which is whole at some time anyway.
int64_t mostBytes(const Graph &global, llvm::ArrayRef<LocalParameter> parameters, const StepOptions &o) {
  if (!slicesParameters(o)) return o.bucketBytes;
  int64_t largest = 0;
  for (const LocalParameter &parameter : parameters) {
    const int64_t elements = global.type(parameter.global).elements();
    largest = std::max(largest, parameter.isReplicated ? elements : elements / o.tp);
  }
  return std::min(o.bucketBytes, largest * int64_t(sizeof(float)));
}

/// Pads a bucket and sets its slices. Since a rank is dp_rank * tp + tp_rank, the slices of a replicated bucket that
/// the tp ranks of one dp rank update are together the slice of that dp rank.
void slice(BucketLayout &bucket, int tpRank, const StepOptions &o) {
  const int64_t ranks = bucket.kind.isReplicated ? o.tp * o.dp : o.dp, unit = ranks * kSliceAlignment;
  bucket.elements = (bucket.elements + unit - 1) / unit * unit;
  const int64_t part = bucket.elements / ranks;
  bucket.own = o.zero == 0                ? bucket.whole()
               : bucket.kind.isReplicated ? BucketSlice{tpRank * part, part, o.dp > 1 ? o.tp * part : 0}
                                          : sliceOverDp(bucket, o.dp);
  bucket.kept = slicesParameters(o) ? sliceOverDp(bucket, o.dp) : bucket.whole();
  bucket.accumulated = o.zero >= 2 ? bucket.own : bucket.whole();
}

} // namespace

bool slicesParameters(const StepOptions &options) { return options.zero >= 3 && options.dp > 1; }

BucketSlice sliceOverDp(const BucketLayout &bucket, int dp) {
  const int64_t part = bucket.elements / dp;
  return {0, part, dp > 1 ? part : 0};
}

FilledBuckets fillBuckets(const Graph &global, const LocalProgram &local, const Updates &updates,
                          const StepOptions &options) {
  std::vector<LocalParameter> order = byReadiness(local, options);
  const int64_t most = mostBytes(global, order, options);
  FilledBuckets filled;
  std::vector<unsigned> open; // the bucket of each kind that is not full yet
  for (LocalParameter &parameter : order) {
    const Type &type = local.graph.type(parameter.local);
    const unsigned rule = updates.parameters.lookup(global.value(parameter.global).name).rule;
    const BucketKind kind{type.dtype, parameter.isReplicated, parameter.isPartial, rule};
    auto last = llvm::find_if(open, [&](unsigned b) { return filled.buckets[b].kind == kind; });
    const int64_t used = last == open.end() ? 0 : filled.buckets[*last].elements;
    const bool isFull = used > 0 && (used + type.elements()) * int64_t(sizeof(float)) > most;
    if (isFull) last = open.erase(last);
    if (isFull || last == open.end()) {
      last = open.insert(open.end(), unsigned(filled.buckets.size()));
      filled.buckets.emplace_back().kind = kind;
    }
    BucketLayout &bucket = filled.buckets[*last];
    filled.parameters.push_back({std::move(parameter), *last, bucket.elements});
    bucket.elements += type.elements();
  }
  for (BucketLayout &bucket : filled.buckets)
    slice(bucket, local.tpRank, options);
  return filled;
}

} // namespace autotp
