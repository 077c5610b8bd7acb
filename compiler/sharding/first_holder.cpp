#include "compiler/sharding/first_holder.h"

namespace autotp {
namespace {

/// For each held index of a dimension, in order: whether another cover holds it too.
std::vector<bool> heldBy(const Cover &own, const Cover &other) {
  std::vector<bool> held;
  for (const Interval &interval : own)
    for (int64_t at = interval.begin; at < interval.end; ++at)
      held.push_back(contains(other, at));
  return held;
}

/// For each dimension, which of the held indices an earlier rank holds too; an empty list stands for all of them.
/// Returns nothing if the ranks share no point of the box.
std::vector<std::vector<bool>> sharedPoints(const Covers &own, const Covers &other) {
  std::vector<std::vector<bool>> shared;
  for (size_t d = 0; d < own.size(); ++d) {
    shared.push_back(own[d] == other[d] ? std::vector<bool>() : heldBy(own[d], other[d])); // empty: all
    if (!shared.back().empty() && llvm::none_of(shared.back(), [](bool held) { return held; })) return {};
    if (own[d].empty() || other[d].empty()) return {};
  }
  return shared;
}

} // namespace

FirstHeld firstHeld(const Covers &own, llvm::ArrayRef<Covers> earlier) {
  FirstHeld first;
  std::vector<std::vector<std::vector<bool>>> sharers;
  for (const Covers &other : earlier) {
    if (own == other) {
      first.points = FirstHeld::Points::None;
      return first;
    }
    auto shared = sharedPoints(own, other);
    if (!shared.empty()) sharers.push_back(std::move(shared));
  }
  if (sharers.empty()) return first;
  first.mask.type.dtype = DType::Bool;
  for (size_t d = 0; d < own.size(); ++d)
    for (const auto &shared : sharers)
      if (!shared[d].empty() && !llvm::is_contained(first.deciding, unsigned(d))) {
        first.deciding.push_back(unsigned(d));
        first.mask.type.shape.push_back(int64_t(shared[d].size()));
      }
  llvm::SmallVector<int64_t, 4> index(first.deciding.size(), 0);
  int64_t counted = 0, points = first.mask.type.elements();
  for (int64_t i = 0; i < points; ++i) {
    bool isShared = llvm::any_of(sharers, [&](const auto &shared) {
      for (size_t d = 0; d < index.size(); ++d)
        if (const auto &held = shared[first.deciding[d]]; !held.empty() && !held[size_t(index[d])]) return false;
      return true;
    });
    first.mask.data.push_back(!isShared);
    counted += !isShared;
    for (size_t d = index.size(); d-- > 0 && ++index[d] == first.mask.type.shape[d];)
      index[d] = 0;
  }
  first.points = counted == 0        ? FirstHeld::Points::None
                 : counted == points ? FirstHeld::Points::All
                                     : FirstHeld::Points::Some;
  return first;
}

llvm::SmallVector<Interval, 2> flatFirstHeld(const Covers &own, llvm::ArrayRef<Covers> earlier) {
  Shape shape;
  for (const Cover &cover : own) {
    shape.push_back(0);
    for (const Interval &interval : cover)
      shape.back() += interval.end - interval.begin;
  }
  const int64_t elements = elementsOf(shape);
  FirstHeld first = firstHeld(own, earlier);
  if (first.points == FirstHeld::Points::None) return {};
  if (first.points == FirstHeld::Points::All) return {{0, elements}};
  Shape strides(own.size(), 0); // the strides of the mask; 0 in dimensions that do not decide
  for (size_t d = first.deciding.size(), stride = 1; d-- > 0; stride *= size_t(first.mask.type.shape[d]))
    strides[first.deciding[d]] = int64_t(stride);
  llvm::SmallVector<Interval, 2> flat;
  llvm::SmallVector<int64_t, 6> index(own.size(), 0);
  for (int64_t e = 0; e < elements; ++e) {
    int64_t at = 0;
    for (size_t d = 0; d < index.size(); ++d)
      at += index[d] * strides[d];
    if (first.mask.data[size_t(at)] != 0) {
      if (!flat.empty() && flat.back().end == e)
        ++flat.back().end;
      else
        flat.push_back({e, e + 1});
    }
    for (size_t d = index.size(); d-- > 0 && ++index[d] == shape[d];)
      index[d] = 0;
  }
  return flat;
}

} // namespace autotp
