#include "compiler/axes/axis_arena.h"
#include "runtime/base/indexed.h"

#include <cassert>
#include <numeric>

namespace autotp {
namespace {
/// An axis of more segments than this is a sequence that was cut into elements. No one shards it, and it is slow to
/// walk.
constexpr size_t kMostSegments = 64;
/// Terms nest a few levels deep, but a hostile file may ask for more.
constexpr int kDeepest = 200;
} // namespace

AxisId AxisArena::add(int64_t size) {
  AxisId id = AxisId(nodes_.size());
  nodes_.push_back(Node{size, id, Kind::Leaf, {}});
  return id;
}

AxisId AxisArena::leaf(int64_t size) { return size == 1 ? kNoAxis : add(size); }
AxisId AxisArena::segment(int64_t size) { return add(size); }

AxisId AxisArena::product(llvm::ArrayRef<AxisId> factors) {
  llvm::SmallVector<AxisId> real;
  int64_t size = 1;
  for (AxisId factor : factors)
    if (factor != kNoAxis && this->size(factor) != 1) {
      real.push_back(factor);
      size *= this->size(factor);
    }
  if (real.empty()) return kNoAxis;
  if (real.size() == 1) return real[0];
  AxisId id = add(size);
  nodes_[id].kind = Kind::Product;
  nodes_[id].children.assign(real.begin(), real.end());
  return id;
}

AxisId AxisArena::concat(llvm::ArrayRef<AxisId> segments) {
  if (segments.size() == 1) return segments[0];
  int64_t size = 0;
  for (AxisId segment : segments)
    size += this->size(segment);
  AxisId id = add(size);
  nodes_[id].kind = Kind::Concat;
  nodes_[id].children.assign(segments.begin(), segments.end());
  return id;
}

void AxisArena::settle() {
  for (AxisId id = 0; id < nodes_.size(); ++id)
    nodes_[id].parent = find(id);
  trail_.clear();
}

AxisId AxisArena::find(AxisId axis) const {
  while (nodes_[axis].parent != axis)
    axis = nodes_[axis].parent;
  return axis;
}

llvm::SmallVector<AxisId> AxisArena::factors(AxisId axis) const {
  axis = find(axis);
  if (nodes_[axis].kind != Kind::Product) return {axis};
  llvm::SmallVector<AxisId> all;
  for (AxisId child : nodes_[axis].children)
    all.append(factors(child));
  return all;
}

llvm::SmallVector<AxisId> AxisArena::segments(AxisId axis) const {
  axis = find(axis);
  if (nodes_[axis].kind != Kind::Concat) return {axis};
  llvm::SmallVector<AxisId> all;
  for (AxisId child : nodes_[axis].children)
    all.append(segments(child));
  return all;
}

llvm::SmallVector<AxisId> AxisArena::leaves(AxisId axis) const {
  axis = find(axis);
  if (nodes_[axis].kind == Kind::Leaf) return {axis};
  llvm::SmallVector<AxisId> all;
  for (AxisId child : nodes_[axis].children)
    all.append(leaves(child));
  return all;
}

void AxisArena::write(AxisId axis, Node node) {
  trail_.push_back({axis, std::move(nodes_[axis])});
  nodes_[axis] = std::move(node);
}

void AxisArena::undo(Mark mark) {
  while (trail_.size() > mark) {
    nodes_[trail_.back().first] = std::move(trail_.back().second);
    trail_.pop_back();
  }
}

void AxisArena::bind(AxisId leaf, Kind kind, llvm::ArrayRef<AxisId> children) {
  Node node = nodes_[leaf];
  node.kind = kind;
  node.children.assign(children.begin(), children.end());
  write(leaf, std::move(node));
}

bool AxisArena::contains(AxisId tree, AxisId axis) const {
  tree = find(tree);
  if (tree == axis) return true;
  return llvm::any_of(nodes_[tree].children, [&](AxisId child) { return contains(child, axis); });
}

bool AxisArena::unify(AxisId a, AxisId b) {
  if (a == kNoAxis || b == kNoAxis) return (a == kNoAxis || size(a) == 1) && (b == kNoAxis || size(b) == 1);
  Mark before = mark();
  depth_ = 0;
  if (tryUnify(a, b)) return true;
  undo(before);
  return false;
}

/// Unifies two terms and leaves what was done on failure; unify() undoes it. A pair whose structures were refined to
/// the same parts is joined to one class in the end.
bool AxisArena::tryUnify(AxisId a, AxisId b) {
  a = find(a);
  b = find(b);
  if (a == b) return true;
  if (nodes_[a].size != nodes_[b].size) return false;
  if (++depth_ > kDeepest * 50) return false;
  if (nodes_[a].kind == Kind::Leaf) return bindLeaf(a, b);
  if (nodes_[b].kind == Kind::Leaf) return bindLeaf(b, a);
  bool isUnified;
  if (nodes_[a].kind == Kind::Product && nodes_[b].kind == Kind::Product)
    isUnified = unifyProducts(a, b);
  else if (nodes_[a].kind == Kind::Concat && nodes_[b].kind == Kind::Concat)
    isUnified = unifyConcats(a, b);
  else
    isUnified = nodes_[a].kind == Kind::Product ? unifyProductWithConcat(a, b) : unifyProductWithConcat(b, a);
  if (!isUnified) return false;
  a = find(a);
  b = find(b);
  return a == b || (!contains(a, b) && bindLeaf(a, b));
}

/// Joins the class of `leaf` to that of `tree`; false if `tree` contains `leaf`, since no axis may contain itself.
bool AxisArena::bindLeaf(AxisId leaf, AxisId tree) {
  if (contains(tree, leaf)) return false;
  Node node = nodes_[leaf];
  node.parent = tree;
  write(leaf, std::move(node));
  return true;
}

bool AxisArena::splitFactor(AxisId axis, int64_t head, llvm::SmallVectorImpl<AxisId> &parts) {
  axis = find(axis);
  int64_t rest = nodes_[axis].size / head;
  if (nodes_[axis].kind == Kind::Leaf) {
    AxisId first = add(head), second = add(rest);
    bind(axis, Kind::Product, {first, second});
    parts.append({first, second});
    return true;
  }
  if (nodes_[axis].kind != Kind::Concat) return false;
  AxisId first, second;
  if (!factorOut(axis, rest, first, second)) return false;
  bind(axis, Kind::Product, {first, second});
  parts.append({first, second});
  return true;
}

/// Refines a concat whose segments are all divisible by `rest` to a product of a concat (`head`) and one shared inner
/// axis.
bool AxisArena::factorOut(AxisId concat, int64_t rest, AxisId &head, AxisId &inner) {
  llvm::SmallVector<AxisId> heads;
  inner = add(rest);
  for (AxisId segment : segments(concat)) {
    int64_t size = this->size(segment);
    if (size % rest) return false;
    heads.push_back(add(size / rest));
    AxisId product = size == rest ? inner : this->product({heads.back(), inner});
    if (!tryUnify(segment, product)) return false;
  }
  head = this->concat(heads);
  return true;
}

/// Compares factors from the left. Equal sizes are unified; otherwise the larger factors are divided by the greatest
/// common divisor, so that both lists begin with a factor of that size. Sizes without a common divisor fail.
bool AxisArena::unifyProducts(AxisId a, AxisId b) {
  llvm::SmallVector<AxisId> left = factors(a), right = factors(b);
  auto flat = [&](llvm::ArrayRef<AxisId> list) {
    llvm::SmallVector<AxisId> all;
    for (AxisId axis : list)
      all.append(factors(axis));
    return all;
  };
  while (!left.empty() && !right.empty()) {
    AxisId x = left.front(), y = right.front();
    // An earlier step refined it, since it occurs more than once.
    if (kind(x) == Kind::Product || kind(y) == Kind::Product) {
      left = flat(left);
      right = flat(right);
      continue;
    }
    int64_t m = size(x), n = size(y);
    left.erase(left.begin());
    right.erase(right.begin());
    if (m == n) {
      if (!tryUnify(x, y)) return false;
      continue;
    }
    int64_t common = std::gcd(m, n);
    if (common == 1) return false;
    auto refine = [&](AxisId axis, int64_t own, llvm::SmallVectorImpl<AxisId> &list) {
      llvm::SmallVector<AxisId> parts;
      if (own == common)
        parts.push_back(axis);
      else if (!splitFactor(axis, common, parts))
        return false;
      llvm::SmallVector<AxisId> flat;
      for (AxisId part : parts)
        flat.append(factors(part));
      list.insert(list.begin(), flat.begin(), flat.end());
      return true;
    };
    if (!refine(x, m, left) || !refine(y, n, right)) return false;
  }
  return left.empty() && right.empty();
}

bool AxisArena::cutSegment(AxisId axis, int64_t length, llvm::SmallVectorImpl<AxisId> &parts) {
  axis = find(axis);
  int64_t total = nodes_[axis].size;
  if (nodes_[axis].kind == Kind::Leaf) {
    AxisId first = add(length), second = add(total - length);
    bind(axis, Kind::Concat, {first, second});
    parts.append({first, second});
    return true;
  }
  if (nodes_[axis].kind != Kind::Product) return false;
  llvm::SmallVector<AxisId> all = factors(axis);
  int64_t rest = total / size(all[0]);
  if (length % rest) return false;
  AxisId first = add(length / rest), second = add(size(all[0]) - length / rest);
  if (!tryUnify(all[0], concat({first, second}))) return false;
  llvm::SmallVector<AxisId> low = {first}, high = {second};
  low.append(all.begin() + 1, all.end());
  high.append(all.begin() + 1, all.end());
  auto productOf = [&](llvm::SmallVectorImpl<AxisId> &list) {
    if (size(list[0]) == 1) list.erase(list.begin()); // an outer factor of 1 leaves the inner factors alone
    return product(list);
  };
  parts.append({productOf(low), productOf(high)});
  return true;
}

/// Compares segments from the left. Equal sizes are unified; otherwise the larger segment is cut at the size of the
/// smaller one.
bool AxisArena::unifyConcats(AxisId a, AxisId b) {
  llvm::SmallVector<AxisId> left = segments(a), right = segments(b);
  if (left.size() > kMostSegments || right.size() > kMostSegments) return false;
  size_t done = 0;
  auto flat = [&](llvm::ArrayRef<AxisId> list) {
    llvm::SmallVector<AxisId> all;
    for (AxisId axis : list)
      all.append(segments(axis));
    return all;
  };
  while (!left.empty() && !right.empty()) {
    if (++done > kMostSegments) return false;
    AxisId x = left.front(), y = right.front();
    // An earlier step refined it, since it occurs more than once.
    if (kind(x) == Kind::Concat || kind(y) == Kind::Concat) {
      left = flat(left);
      right = flat(right);
      continue;
    }
    int64_t m = size(x), n = size(y);
    left.erase(left.begin());
    right.erase(right.begin());
    if (m == n) {
      if (!tryUnify(x, y)) return false;
      continue;
    }
    llvm::SmallVector<AxisId> parts;
    if (!cutSegment(m > n ? x : y, std::min(m, n), parts)) return false;
    auto &list = m > n ? left : right;
    if (!tryUnify(parts[0], m > n ? y : x)) return false;
    llvm::SmallVector<AxisId> tail = segments(parts[1]);
    list.insert(list.begin(), tail.begin(), tail.end());
  }
  return left.empty() && right.empty();
}

/// Makes each segment a product with the same inner factors, and unifies the outermost factor with the concat of what
/// is left of the segments.
bool AxisArena::unifyProductWithConcat(AxisId product, AxisId concat) {
  llvm::SmallVector<AxisId> all = factors(product);
  AxisId inner = this->product(llvm::ArrayRef<AxisId>(all).drop_front());
  int64_t rest = size(inner);
  llvm::SmallVector<AxisId> heads;
  for (AxisId segment : segments(concat)) {
    int64_t size = this->size(segment);
    if (size % rest) return false;
    AxisId head = add(size / rest);
    heads.push_back(head);
    if (!tryUnify(segment, size == rest ? inner : this->product({head, inner}))) return false;
  }
  return tryUnify(all[0], this->concat(heads));
}

std::string AxisArena::text(AxisId axis, const std::function<std::string(AxisId)> &nameOfLeaf) const {
  if (axis == kNoAxis) return "1";
  axis = find(axis);
  if (nodes_[axis].kind == Kind::Leaf) return nameOfLeaf(axis);
  bool isProduct = nodes_[axis].kind == Kind::Product;
  std::string text = "(";
  for (const auto &[i, child] : indexed(isProduct ? factors(axis) : segments(axis)))
    text += (i ? (isProduct ? " " : "|") : "") + this->text(child, nameOfLeaf);
  return text + ")";
}

} // namespace autotp
