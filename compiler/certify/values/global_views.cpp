// compiler/certify/values/global_views.cpp: what a view shows: slices, joins and segments of roots, and zeros.
#include "compiler/certify/values/global_values.h"
#include "compiler/certify/values/index_lists.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/Sequence.h"

namespace autotp {

bool GlobalValues::isConcat(RootId id) const {
  const int producer = roots_[id].producer;
  return producer >= 0 && llvm::StringRef(nodes_[size_t(producer)].row->name) == "concat";
}

std::optional<GlobalOperand> GlobalValues::sliceOf(const Node &node, const GlobalOperand &of, const Type &type) {
  if (of.kind != GlobalOperand::Kind::Value) return std::nullopt;
  View view = views_[of.view];
  const size_t axis = size_t(node.attributes.integer("axis"));
  const int64_t start = node.attributes.integer("start"), step = node.attributes.integer("step", 1);
  llvm::SmallVector<Interval, 4> own;
  for (int64_t i = 0; i < type.shape[axis] && step > 1; ++i)
    own.push_back({start + i * step, start + i * step + 1});
  if (step == 1) own.push_back({start, start + type.shape[axis]});
  Lists taken;
  for (size_t d = 0; d < view.shape.size(); ++d)
    taken.push_back(d == axis ? lists_.of(own) : lists_.whole(view.shape[d]));
  auto positions = lists_.refold(view.shape, taken, view.sizes, {});
  if (!positions) return std::nullopt;
  for (auto [d, list] : indexed(view.window))
    list = lists_.select(list, (*positions)[d]);
  view.shape = type.shape;
  GlobalOperand part;
  part.type = type;
  part.view = addView(std::move(view));
  return part;
}

/// Parts of one root, one after the other, are another part of it if they differ in one dimension, the joined one.
std::optional<GlobalOperand> GlobalValues::joined(const GlobalOperand &a, const GlobalOperand &b, size_t axis) {
  if (a.kind != GlobalOperand::Kind::Value || b.kind != GlobalOperand::Kind::Value) return std::nullopt;
  View all = views_[a.view];
  const View next = views_[b.view];
  if (next.root != all.root) return std::nullopt;
  auto before = [](llvm::ArrayRef<int64_t> sizes, size_t d) { return elementsOf(sizes.take_front(d)); };
  for (size_t d = 0; d < all.sizes.size(); ++d) { // of the root
    // The joined dimension may be a factor of the axis, the outermost: both parts lie whole behind each other then too.
    if (before(all.sizes, d) != before(all.shape, axis)) continue;
    Lists others = next.window;
    others[d] = all.window[d];
    const std::optional<ListId> list = lists_.joined(all.window[d], next.window[d]);
    if (others != all.window || !list) continue;
    all.window[d] = *list;
    all.shape[axis] += b.type.shape[axis];
    GlobalOperand result = a;
    result.type.shape = all.shape;
    result.view = addView(std::move(all));
    return result;
  }
  return std::nullopt;
}

/// Makes one of neighbours that are one part of a root.
llvm::SmallVector<GlobalOperand, 4> GlobalValues::neighboursJoined(llvm::ArrayRef<GlobalOperand> operands,
                                                                   size_t axis) {
  llvm::SmallVector<GlobalOperand, 4> fewer;
  for (const GlobalOperand &operand : operands) {
    const auto both = fewer.empty() ? std::nullopt : joined(fewer.back(), operand, axis);
    if (both)
      fewer.back() = *both;
    else
      fewer.push_back(operand);
  }
  return fewer;
}

/// Returns a view of a concat's result as one of an operand, if it is all within that.
std::optional<ViewId> GlobalValues::segmentOf(const View &view) {
  if (roots_[view.root].producer < 0 || lists_.elements(view.window) == 0 || !isConcat(view.root)) return std::nullopt;
  const GlobalNode &node = nodes_[size_t(roots_[view.root].producer)];
  const auto axis = size_t(node.attributes->integer("axis"));
  int64_t begin = 0;
  for (const GlobalOperand &operand : node.operands) {
    const int64_t end = begin + operand.type.shape[axis];
    Lists own = view.window;
    own[axis] = lists_.within(own[axis], begin, end);
    begin = end;
    if (lists_.length(own[axis]) != lists_.length(view.window[axis])) continue;
    if (operand.kind != GlobalOperand::Kind::Value) return std::nullopt;
    View inner = views_[operand.view];
    std::optional<Lists> positions = lists_.refold(inner.shape, own, inner.sizes, {});
    if (!positions) return std::nullopt;
    for (auto [d, list] : indexed(inner.window))
      list = lists_.select(list, (*positions)[d]);
    inner.shape = view.shape;
    return addView(std::move(inner));
  }
  return std::nullopt;
}

/// Returns the lists of all leaves of a node of which these elements of the result are wanted, if they follow.
std::optional<Lists> GlobalValues::leavesOf(const GlobalNode &node, llvm::ArrayRef<ListId> held) const {
  const OperatorIndices &indices = *node.indices;
  Lists leaves;
  for (int64_t size : indices.sizes)
    leaves.push_back(lists_.whole(size));
  for (auto [d, dim] : indexed(indices.outs[0])) {
    Lists parts(dim.leaves.size(), 0);
    if (!listsOfLeaves(lists_, indices, dim, held[d], parts)) return std::nullopt;
    for (auto [i, leaf] : indexed(dim.leaves))
      leaves[leaf] = parts[i];
  }
  return leaves;
}

/// Says whether an operand is 0 wherever it is read.
bool GlobalValues::isZeroOperand(const GlobalNode &node, size_t k, llvm::ArrayRef<ListId> leaves, int depth) const {
  const GlobalOperand &operand = node.operands[k];
  Lists own;
  for (const auto &dim : node.indices->ins[k]) {
    std::optional<ListId> list = listOfDim(lists_, *node.indices, dim, leaves);
    if (!list) return false;
    own.push_back(*list);
  }
  if (lists_.elements(own) == 0) return true; // another segment
  if (operand.kind == GlobalOperand::Kind::Fill) return operand.fill == 0;
  return operand.kind == GlobalOperand::Kind::Value && isZero(operand.view, own, depth - 1);
}

bool GlobalValues::isZero(ViewId id, llvm::ArrayRef<ListId> held, int depth) const {
  const View &view = views_[id];
  const int producer = roots_[view.root].producer;
  std::optional<Lists> positions = lists_.refold(view.shape, held, view.sizes, {});
  auto isFree = [&](ListId list) { return lists_.isFree(list); };
  if (producer < 0 || depth == 0 || !positions || llvm::any_of(*positions, isFree)) return false;
  const GlobalNode &node = nodes_[size_t(producer)];
  if (node.results.size() != 1) return false;
  for (auto [d, list] : indexed(*positions))
    list = lists_.select(view.window[d], list);
  const std::optional<Lists> leaves = leavesOf(node, *positions);
  if (!leaves) return false;
  if (llvm::StringRef(node.row->name) == "concat" || node.row->isAdditive)
    return llvm::all_of(llvm::seq<size_t>(0, node.operands.size()),
                        [&](size_t k) { return isZeroOperand(node, k, *leaves, depth); });
  return node.row->linearIn == kEveryOperand && node.operands.size() == 1 && isZeroOperand(node, 0, *leaves, depth);
}

} // namespace autotp
