#include "passes/train/gather_buckets.h"

#include "compiler/ops/collectives.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/Twine.h"

namespace autotp {
namespace {

class BucketGatherer {
public:
  BucketGatherer(Graph &graph, llvm::ArrayRef<PlacedParameter> parameters, llvm::ArrayRef<ValueId> slices, int dp)
      : graph_(graph), slices_(slices), dp_(dp) {
    for (const PlacedParameter &parameter : parameters)
      parameters_[parameter.local.local] = &parameter;
  }

  void run() {
    const std::vector<NodeId> order = graph_.order();
    if (order.empty()) return;
    for (Place &place : places_)
      place.gatheredBefore = order[0];
    for (NodeId id : order) {
      llvm::SmallVector<unsigned, 4> needed = bucketsOf(id);
      for (unsigned bucket : needed)
        if (!find(bucket)) gather(bucket, id, needed);
      for (unsigned k = 0; k < graph_.node(id).operands.size(); ++k)
        if (const PlacedParameter *parameter = parameters_.lookup(graph_.node(id).operands[k]))
          graph_.setOperand(id, k, viewOf(*parameter));
      for (unsigned bucket : needed)
        use(bucket, id);
    }
  }

private:
  static constexpr size_t kPlaces = 2;

  /// Holds one whole bucket.
  struct Place {
    unsigned bucket = kNone;
    ValueId whole = kNone;
    NodeId viewsBefore = kNone;             ///< the node that follows the all_gather
    NodeId gatheredBefore = kNone;          ///< the next bucket in this place is gathered before this node
    llvm::DenseMap<ValueId, ValueId> views; ///< by parameter; only looked up
  };

  llvm::SmallVector<unsigned, 4> bucketsOf(NodeId id) const {
    llvm::SmallVector<unsigned, 4> buckets;
    for (ValueId operand : graph_.node(id).operands)
      if (const PlacedParameter *parameter = parameters_.lookup(operand))
        if (!llvm::is_contained(buckets, parameter->bucket)) buckets.push_back(parameter->bucket);
    return buckets;
  }

  Place *find(unsigned bucket) {
    auto at = llvm::find_if(places_, [&](const Place &place) { return place.bucket == bucket; });
    return at == places_.end() ? nullptr : &*at;
  }

  void gather(unsigned bucket, NodeId user, llvm::ArrayRef<unsigned> needed) {
    auto free = llvm::find_if(places_, [&](const Place &place) { return !llvm::is_contained(needed, place.bucket); });
    if (free == places_.end()) {
      places_.emplace_back().gatheredBefore = user;
      free = std::prev(places_.end());
    }
    const NodeId before = free->gatheredBefore;
    Builder b(graph_, before);
    b.origin = ("parameter bucket " + llvm::Twine(bucket)).str();
    b.backward = graph_.node(user).backward;
    const Type &slice = graph_.type(slices_[bucket]);
    ValueId whole = allGather(b, slices_[bucket], everyRank(plan::DP, dp_), slice.elements() * dp_);
    *free = Place();
    free->bucket = bucket;
    free->whole = whole;
    free->viewsBefore = free->gatheredBefore = before;
  }

  ValueId viewOf(const PlacedParameter &parameter) {
    Place &place = *find(parameter.bucket);
    auto [at, isNew] = place.views.try_emplace(parameter.local.local, kNone);
    if (!isNew) return at->second;
    const Type type = graph_.type(parameter.local.local);
    const Node &gather = *graph_.producer(place.whole);
    Builder b(graph_, place.viewsBefore);
    b.origin = gather.origin;
    b.backward = gather.backward;
    return at->second = b.reshape(b.slice(place.whole, 0, parameter.begin, type.elements()), type.shape);
  }

  /// Keeps the places in the order of their last use.
  void use(unsigned bucket, NodeId id) {
    Place *place = find(bucket);
    place->gatheredBefore = graph_.node(id).next;
    std::rotate(place, place + 1, places_.data() + places_.size());
  }

  Graph &graph_;
  llvm::ArrayRef<ValueId> slices_;
  int dp_;
  llvm::DenseMap<ValueId, const PlacedParameter *> parameters_; // only looked up
  std::vector<Place> places_ = std::vector<Place>(kPlaces);
};

} // namespace

void gatherBuckets(Graph &microStep, llvm::ArrayRef<PlacedParameter> parameters, llvm::ArrayRef<ValueId> slices,
                   int dp) {
  BucketGatherer(microStep, parameters, slices, dp).run();
}

} // namespace autotp
