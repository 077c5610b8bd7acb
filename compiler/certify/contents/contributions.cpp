#include "compiler/certify/contents/contributions.h"

#include "compiler/certify/refusal.h"
#include "compiler/certify/values/global_values.h"
#include "compiler/certify/values/index_lists.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

llvm::Error missing() { return refuse("a part of it is on no rank of the group"); }

} // namespace

Summands wholeSummands(llvm::ArrayRef<ListId> elements) {
  return {kWholePath, Lists(elements.begin(), elements.end()), {}, Lists(elements.size(), kWholeSpan), {}};
}

std::vector<Summands> summandsOf(const Elements &elements) {
  if (elements.isPartial()) return elements.summands;
  return {wholeSummands(elements.lists)};
}

PathId Contributions::extended(PathId path, unsigned node, unsigned operand) {
  ByteKey key;
  key.add(path).add(node).add(operand);
  auto [at, isNew] = known_.try_emplace(std::move(key), PathId(links_.size()));
  if (isNew) links_.push_back({path, node, operand});
  return at->second;
}

llvm::Error Contributions::checkComplete(llvm::ArrayRef<Summands> summands, llvm::ArrayRef<ListId> elements,
                                         Partial kind) {
  std::vector<Open> open;
  for (const Summands &box : summands)
    open.push_back({box.path, &box});
  return checkBelow(open, {}, elements, kind);
}

llvm::Error Contributions::checkBelow(llvm::ArrayRef<Open> all, Wholes wholes, llvm::ArrayRef<ListId> elements,
                                      Partial kind) {
  std::vector<Open> open;
  for (const Open &box : all)
    if (box.first == kWholePath)
      wholes.push_back(box.second);
    else
      open.push_back(box);
  if (open.empty()) return checkWholes(wholes, elements, kind);
  auto groups = byOperand(open);
  if (!groups) return groups.takeError();
  const GlobalNode &node = values_.node(links_[open[0].first].node);
  const bool isAdditive = node.row->isAdditive;
  for (size_t k = 0; k < groups->size(); ++k) {
    if (isAdditive && isZeroConstant(node.operands[k])) continue;
    if (llvm::Error error = checkBelow((*groups)[k], wholes, elements, kind)) return error;
  }
  return llvm::Error::success();
}

/// Returns the boxes that came through each operand of an operator that adds; of another operator all in one group.
llvm::Expected<std::vector<std::vector<Contributions::Open>>>
Contributions::byOperand(llvm::ArrayRef<Open> open) const {
  const unsigned top = links_[open[0].first].node;
  const GlobalNode &node = values_.node(top);
  const bool isAdditive = node.row->isAdditive;
  std::vector<std::vector<Open>> groups(isAdditive ? node.operands.size() : 1);
  for (const auto &[path, box] : open) {
    const Link &link = links_[path];
    if (link.node != top)
      return refuse("ranks add parts of different sums, '" + escaped(node.origin) + "' and '" +
                    escaped(values_.node(link.node).origin) + "'");
    groups[isAdditive ? link.operand : 0].push_back({link.before, box});
  }
  return groups;
}

llvm::Error Contributions::checkWholes(llvm::ArrayRef<const Summands *> wholes, llvm::ArrayRef<ListId> elements,
                                       Partial kind) {
  const Summands *model = nullptr; // the last that came through all operators of the path: others were whole before
  for (const Summands *box : wholes)
    if (!model || box->points.size() >= model->points.size()) model = box;
  if (!model) return refuse("an addend is missing on all ranks");
  Lists domain;
  for (size_t d = 0; d < elements.size(); ++d)
    domain.push_back(model->elementSpans[d] == kWholeSpan ? elements[d]
                                                          : lists_.intersection(elements[d], model->elementSpans[d]));
  domain.append(model->pointSpans);
  std::vector<Lists> boxes;
  for (const Summands *whole : wholes) {
    Lists box = whole->elements;
    box.append(model->pointSpans.begin(), model->pointSpans.end() - whole->points.size());
    box.append(whole->points);
    boxes.push_back(std::move(box));
  }
  return checkTiling(std::move(boxes), domain, kind);
}

/// Leaves of each box what lies in the domain, and drops those of which nothing does.
llvm::Error Contributions::clip(std::vector<Lists> &boxes, llvm::ArrayRef<ListId> domain) {
  for (Lists &box : boxes)
    for (size_t d = 0; d < domain.size(); ++d) {
      if (box[d] == domain[d]) continue;
      if (lists_.isFree(box[d]) || lists_.isFree(domain[d]))
        return refuse("which elements of it are here does not follow");
      box[d] = lists_.intersection(box[d], domain[d]);
    }
  llvm::erase_if(boxes, [&](const Lists &box) {
    return llvm::any_of(box, [&](ListId list) { return lists_.length(list) == 0; });
  });
  return llvm::Error::success();
}

/// Returns all indices that some box has of a dimension.
ListId Contributions::united(llvm::ArrayRef<Lists> boxes, size_t dim) {
  llvm::SmallVector<Interval, 8> all;
  for (const Lists &box : boxes)
    llvm::append_range(all, lists_.intervals(box[dim]));
  llvm::sort(all, [](const Interval &a, const Interval &b) { return a.begin < b.begin; });
  llvm::SmallVector<Interval, 4> united;
  for (const Interval &next : all)
    if (!united.empty() && next.begin <= united.back().end)
      united.back().end = std::max(united.back().end, next.end);
    else
      united.push_back(next);
  return lists_.of(united);
}

llvm::Error Contributions::checkTiling(std::vector<Lists> boxes, llvm::ArrayRef<ListId> domain, Partial kind) {
  if (lists_.elements(domain) == 0) return llvm::Error::success();
  if (llvm::Error error = clip(boxes, domain)) return error;
  llvm::SmallVector<size_t, 4> differing;
  for (size_t d = 0; d < domain.size(); ++d)
    if (llvm::any_of(boxes, [&](const Lists &box) { return box[d] != domain[d]; })) differing.push_back(d);
  auto volume = [&](llvm::ArrayRef<ListId> box) {
    unsigned __int128 n = 1;
    for (size_t d : differing)
      n *= uint64_t(lists_.length(box[d]));
    return n;
  };
  unsigned __int128 sum = 0;
  for (const Lists &box : boxes)
    sum += volume(box);
  if (sum < volume(domain) || boxes.empty()) return missing();
  const bool mayOverlap = kind == Partial::Max;
  if (mayOverlap && differing.size() == 1)
    return united(boxes, differing[0]) == domain[differing[0]] ? llvm::Error::success() : missing();
  for (size_t i = 0; i < boxes.size() && !(mayOverlap && differing.empty()); ++i)
    for (size_t j = 0; j < i; ++j)
      if (llvm::none_of(differing, [&](size_t d) { return lists_.isDisjoint(boxes[i][d], boxes[j][d]); }))
        return refuse("a part of it counts more than once");
  return sum == volume(domain) ? llvm::Error::success() : missing();
}

} // namespace autotp
