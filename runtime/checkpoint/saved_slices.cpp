#include "runtime/checkpoint/saved_slices.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {
namespace {

/// A rank does not write fewer elements than this if another rank can write them as well.
constexpr int64_t kFewest = int64_t(1) << 16;

bool haveEqualCovers(const plan::Parameter &a, const plan::Parameter &b) {
  if (a.covers_size() != b.covers_size()) return false;
  for (int d = 0; d < a.covers_size(); ++d)
    if (!std::ranges::equal(a.covers(d).begins(), b.covers(d).begins()) ||
        !std::ranges::equal(a.covers(d).ends(), b.covers(d).ends()))
      return false;
  return true;
}

/// The tp ranks that hold the same elements of a parameter.
struct Holders {
  std::vector<int64_t> tpRanks; ///< in order
  std::vector<const plan::Parameter *> parameters;
};

class SliceList {
public:
  SliceList(llvm::ArrayRef<const plan::Program *> byTp, int64_t dp) : byTp_(byTp), dp_(dp) {}

  void addParameter(const std::string &name) {
    for (const Holders &holders : holdersOf(name)) {
      if (elementsOf(holders.parameters[0]->tensor()) == 0) continue;
      for (const std::string &kind : kindsOf(bucketOf(holders, 0)))
        addKind(holders, kind);
    }
  }

  std::vector<SavedSlice> take() { return std::move(slices_); }

private:
  int64_t tp() const { return int64_t(byTp_.size()); }
  const plan::Bucket &bucketOf(const Holders &holders, size_t i) const {
    return byTp_[size_t(holders.tpRanks[i])]->buckets(int(holders.parameters[i]->bucket()));
  }

  std::vector<Holders> holdersOf(const std::string &name) const {
    std::vector<Holders> all;
    for (int64_t t = 0; t < tp(); ++t)
      for (const plan::Parameter &parameter : byTp_[size_t(t)]->parameters()) {
        if (parameter.name() != name) continue;
        auto same = llvm::find_if(all, [&](const Holders &h) { return haveEqualCovers(*h.parameters[0], parameter); });
        if (same == all.end()) same = all.insert(all.end(), Holders{});
        same->tpRanks.push_back(t);
        same->parameters.push_back(&parameter);
      }
    return all;
  }

  /// Where a rank's tensor is a slice, it writes what lies there: of a slice over dp, which all holders have, the first one.
  /// Where it is the whole bucket, all holders share it out.
  void addKind(const Holders &holders, const std::string &kind) {
    const int64_t elements = elementsOf(holders.parameters[0]->tensor());
    const int64_t held = elementsOf(*tensorOfKind(bucketOf(holders, 0), kind));
    const int64_t slices = held ? bucketOf(holders, 0).elements() / held : 1;
    const size_t writers = slices == dp_ && dp_ > 1 ? 1 : holders.tpRanks.size();
    const int64_t parts = std::min(int64_t(writers) * dp_, std::max<int64_t>(1, (elements + kFewest - 1) / kFewest));
    for (size_t i = 0; i < writers; ++i)
      for (int64_t d = 0; d < dp_; ++d) {
        const int64_t part = int64_t(i) * dp_ + d;
        if (slices > 1)
          add(holders, i, d, kind, 0, elements);
        else if (part < parts)
          add(holders, i, d, kind, elements * part / parts, elements * (part + 1) / parts);
      }
  }

  /// Adds what dp rank `d` of holder `i` has of elements [begin, end) of the parameter.
  void add(const Holders &holders, size_t i, int64_t d, const std::string &kind, int64_t begin, int64_t end) {
    const plan::Bucket &bucket = bucketOf(holders, i);
    const auto first = int64_t(holders.parameters[i]->bucket_begin());
    const int64_t t = holders.tpRanks[i];
    const BucketPart part =
        bucketPart(bucket, *tensorOfKind(bucket, kind), first + begin, first + end, {tp(), dp_, t, d});
    if (part.begin == part.end) return;
    slices_.push_back(
        {holders.parameters[i], kind, int(d * tp() + t), part.begin - first, part.end - first, part.tensor});
  }

  llvm::ArrayRef<const plan::Program *> byTp_;
  int64_t dp_;
  std::vector<SavedSlice> slices_;
};

} // namespace

const plan::TensorRef *tensorOfKind(const plan::Bucket &bucket, llvm::StringRef kind) {
  if (kind == kWeights) return bucket.has_master() ? &bucket.master() : &bucket.parameters();
  for (const plan::OptimizerState &state : bucket.states())
    if (state.name() == kind) return &state.tensor();
  return nullptr;
}

std::vector<std::string> kindsOf(const plan::Bucket &bucket) {
  std::vector<std::string> kinds = {kWeights.str()};
  for (const plan::OptimizerState &state : bucket.states())
    kinds.push_back(state.name());
  return kinds;
}

std::vector<SavedSlice> savedSlices(llvm::ArrayRef<const plan::Program *> byTp, int64_t dp) {
  SliceList list(byTp, dp);
  for (const plan::Parameter &parameter : byTp[0]->parameters())
    list.addParameter(parameter.name());
  std::vector<SavedSlice> slices = list.take();
  llvm::stable_sort(slices, [](const SavedSlice &a, const SavedSlice &b) {
    return std::tie(a.parameter->name(), a.kind, a.rank) < std::tie(b.parameter->name(), b.kind, b.rank);
  });
  return slices;
}

std::vector<const plan::State *> lastingStates(const plan::Program &program) {
  std::vector<const plan::State *> lasting;
  for (const plan::State &state : program.states())
    if (llvm::none_of(program.zeroed_each_step(),
                      [&](const plan::TensorRef &zeroed) { return zeroed.offset() == state.tensor().offset(); }))
      lasting.push_back(&state);
  return lasting;
}

} // namespace autotp
