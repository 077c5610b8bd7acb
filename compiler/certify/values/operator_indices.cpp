#include "compiler/certify/values/operator_indices.h"

#include "compiler/axes/index_text.h"
#include "compiler/certify/values/index_lists.h"
#include "compiler/ops/op_def.h"

namespace autotp {
namespace {

using Dim = OperatorIndices::Dim;

class Numbering {
public:
  Numbering(const AxisArena &arena, OperatorIndices &to) : arena_(arena), to_(to) {}

  OperatorIndices::Dims dims(llvm::ArrayRef<AxisId> terms) {
    OperatorIndices::Dims all;
    for (AxisId term : terms)
      all.push_back(dim(term));
    return all;
  }
  unsigned leaf(AxisId axis) {
    axis = arena_.find(axis);
    auto [at, isNew] = numbers_.try_emplace(axis, unsigned(to_.sizes.size()));
    if (isNew) {
      to_.sizes.push_back(arena_.size(axis));
      to_.isWhole.push_back(false);
      to_.isUnknown |= arena_.kind(axis) != AxisArena::Kind::Leaf;
    }
    return at->second;
  }
  int leafOrNone(AxisId axis) { return axis == kNoAxis ? -1 : int(leaf(axis)); }

private:
  Dim dim(AxisId term) {
    Dim dim;
    if (term == kNoAxis) return dim;
    const AxisArena::Kind kind = arena_.kind(term);
    dim.kind = kind == AxisArena::Kind::Leaf      ? Dim::Kind::Leaf
               : kind == AxisArena::Kind::Product ? Dim::Kind::Product
                                                  : Dim::Kind::Concat;
    for (AxisId part : kind == AxisArena::Kind::Product ? arena_.factors(term) : arena_.segments(term))
      dim.leaves.push_back(leaf(part));
    return dim;
  }

  const AxisArena &arena_;
  OperatorIndices &to_;
  llvm::DenseMap<AxisId, unsigned> numbers_;
};

/// The sharded form of cross_entropy (kernels.def): classes are summed, and the target's logit is on the rank with its
/// class.
IndexTerms lossTerms(llvm::StringRef op, AxisArena &arena, const OpCall &call) {
  if (op == "cross_entropy_finish") return instantiateText("two! n, n, n -> , , n", arena, call.operands, call.results);
  IndexTerms terms = instantiateText("n c, n, n -> two n", arena, call.operands, call.results);
  terms.classes = terms.ins[0][1];
  return terms;
}

IndexTerms termsOf(const OpDef &row, AxisArena &arena, const OpCall &call) {
  if (row.axisRule) return row.axisRule(arena, call);
  if (row.axes) return instantiateText(row.axes, arena, call.operands, call.results);
  return lossTerms(row.name, arena, call);
}

/// A segment of one element is a leaf too.
void nameSingleSegments(OperatorIndices &indices, const OpCall &call) {
  const Dim &all = indices.outs[0][size_t(indices.cutDim)];
  unsigned segment = 0;
  for (size_t k = 0; k < call.operands.size() && all.kind == Dim::Kind::Concat; ++k) {
    if (call.operands[k].shape[size_t(indices.cutDim)] == 0) continue;
    Dim &dim = indices.ins[k][size_t(indices.cutDim)];
    if (dim.kind == Dim::Kind::One) dim = {Dim::Kind::Leaf, {all.leaves[segment]}};
    ++segment;
  }
}

/// Numbers the leaves that are summed, and those that must be whole.
void numberReductions(const AxisArena &arena, const IndexTerms &terms, Numbering &numbering, OperatorIndices &indices) {
  for (size_t j = 0; j < terms.contracted.size(); ++j)
    for (AxisId axis : terms.contracted[j])
      indices.contracted[j].push_back(numbering.leaf(axis));
  for (const auto &[axis, reason] : terms.whole)
    for (AxisId leaf : arena.leaves(axis))
      indices.isWhole[numbering.leaf(leaf)] = true;
  for (AxisId axis : terms.within)
    for (AxisId leaf : arena.leaves(axis)) {
      if (indices.isMaximum)
        indices.contracted[0].push_back(numbering.leaf(leaf));
      else
        indices.isWhole[numbering.leaf(leaf)] = true;
    }
}

/// Finds the lists of a concat's segments; false if the list does not go through them in order.
bool listsOfSegments(IndexLists &lists, const OperatorIndices &indices, const Dim &dim, ListId list,
                     llvm::MutableArrayRef<ListId> parts) {
  int64_t at = 0, held = 0;
  if (lists.isFree(list) || !lists.isAscending(list)) return false;
  for (size_t i = 0; i < dim.leaves.size(); ++i) {
    parts[i] = lists.within(list, at, at + indices.sizes[dim.leaves[i]]);
    held += lists.length(parts[i]);
    at += indices.sizes[dim.leaves[i]];
  }
  return held == lists.length(list);
}

bool listsOfFactors(IndexLists &lists, const OperatorIndices &indices, const Dim &dim, ListId list,
                    llvm::MutableArrayRef<ListId> parts) {
  if (lists.length(list) == 0) { // nothing is held: the factors are not known, and do not matter
    for (ListId &part : parts)
      part = lists.whole(0);
    return true;
  }
  for (size_t i = dim.leaves.size(); i-- > 1;) {
    auto split = lists.split(list, indices.sizes[dim.leaves[i]]);
    if (!split) return false;
    parts[i] = split->second;
    list = split->first;
  }
  parts[0] = list;
  return true;
}

} // namespace

OperatorIndices operatorIndices(const OpDef &row, const OpCall &call) {
  AxisArena arena;
  IndexTerms terms = termsOf(row, arena, call);
  OperatorIndices indices;
  Numbering numbering(arena, indices);
  for (const auto &list : terms.ins)
    indices.ins.push_back(numbering.dims(list));
  for (const auto &list : terms.outs)
    indices.outs.push_back(numbering.dims(list));
  indices.contracted.resize(terms.outs.size());
  indices.isMaximum = llvm::StringRef(row.name) == "reduce_max";
  numberReductions(arena, terms, numbering, indices);
  indices.lookup = numbering.leafOrNone(terms.lookup);
  indices.scatter = numbering.leafOrNone(terms.scatter);
  indices.classes = numbering.leafOrNone(terms.classes);
  indices.cutDim = terms.cutDim;
  if (llvm::StringRef(row.name) == "concat") nameSingleSegments(indices, call);
  if (llvm::StringRef(row.name) == "cross_entropy" && indices.classes >= 0) indices.isWhole[indices.classes] = true;
  return indices;
}

bool listsOfLeaves(IndexLists &lists, const OperatorIndices &indices, const Dim &dim, ListId list,
                   llvm::MutableArrayRef<ListId> parts) {
  switch (dim.kind) {
  case Dim::Kind::One:
    return lists.length(list) <= 1;
  case Dim::Kind::Leaf:
    parts[0] = list;
    return true;
  case Dim::Kind::Concat:
    return listsOfSegments(lists, indices, dim, list, parts);
  case Dim::Kind::Product:
    return listsOfFactors(lists, indices, dim, list, parts);
  }
  return false;
}

std::optional<ListId> listOfDim(IndexLists &lists, const OperatorIndices &indices, const Dim &dim,
                                llvm::ArrayRef<ListId> leafLists) {
  if (dim.kind == Dim::Kind::One) return lists.whole(1);
  std::optional<ListId> list = leafLists[dim.leaves.back()];
  if (dim.kind == Dim::Kind::Product) {
    int64_t size = indices.sizes[dim.leaves.back()];
    for (size_t i = dim.leaves.size(); i-- > 1 && list;) {
      list = lists.product(leafLists[dim.leaves[i - 1]], *list, size);
      size *= indices.sizes[dim.leaves[i - 1]];
    }
  }
  if (dim.kind == Dim::Kind::Concat) {
    int64_t at = 0;
    list = lists.whole(0);
    for (unsigned leaf : dim.leaves) {
      if (list) list = lists.joined(*list, lists.shifted(leafLists[leaf], at));
      at += indices.sizes[leaf];
    }
  }
  return list;
}

} // namespace autotp
