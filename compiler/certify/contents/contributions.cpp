#include "compiler/certify/contents/contributions.h"

#include "runtime/base/error.h"

namespace autotp {

PathId Contributions::extended(PathId path, unsigned node, unsigned operand) {
  ByteKey key;
  key.add(path).add(node).add(operand);
  auto [at, isNew] = known_.try_emplace(std::move(key), PathId(steps_.size()));
  if (isNew) steps_.push_back({path, node, operand});
  return at->second;
}

bool Contributions::isComplete(const std::vector<Part> &parts, llvm::ArrayRef<ListId> elements, Pending kind,
                               std::string &why) {
  Ats at;
  for (const Part &part : parts)
    at.push_back({part.path, &part});
  return isCompleteAt(at, {}, elements, kind, why);
}

bool Contributions::isCompleteAt(const Ats &parts, std::vector<const Part *> wholes, llvm::ArrayRef<ListId> elements,
                                 Pending kind, std::string &why) {
  Ats open;
  for (const At &part : parts)
    if (part.first == kWholePath)
      wholes.push_back(part.second);
    else
      open.push_back(part);
  if (open.empty()) return tiles(wholes, elements, kind, why);
  const unsigned top = steps_[open[0].first].node;
  const GlobalNode &node = values_.node(top);
  const bool isAdditive = node.row->linearity == Linearity::Together;
  std::vector<Ats> byOperand(isAdditive ? node.operands.size() : 1);
  for (const auto &[path, part] : open) {
    const Step &step = steps_[path];
    if (step.node != top) {
      why = "ranks add parts of different sums, '" + escaped(node.origin) + "' and '" +
            escaped(values_.node(step.node).origin) + "'";
      return false;
    }
    byOperand[isAdditive ? step.operand : 0].push_back({step.before, part});
  }
  for (size_t k = 0; k < byOperand.size(); ++k) {
    const GlobalOperand &operand = node.operands[k];
    if (isAdditive && isZeroConstant(operand)) continue;
    if (!isCompleteAt(byOperand[k], wholes, elements, kind, why)) return false;
  }
  return true;
}

bool Contributions::tiles(llvm::ArrayRef<const Part *> parts, llvm::ArrayRef<ListId> elements, Pending kind,
                          std::string &why) {
  const Part *model = nullptr; // the last that has been through all operators of the path: others were whole before
  for (const Part *part : parts)
    if (!model || part->points.size() >= model->points.size()) model = part;
  if (!model) {
    why = "an addend is missing on all ranks";
    return false;
  }
  Lists domain;
  for (size_t d = 0; d < elements.size(); ++d)
    domain.push_back(model->elementSpans[d] == kWholeSpan ? elements[d]
                                                          : lists_.intersection(elements[d], model->elementSpans[d]));
  domain.append(model->pointSpans);
  std::vector<Lists> boxes;
  for (const Part *part : parts) {
    Lists box = part->elements;
    box.append(model->pointSpans.begin(), model->pointSpans.end() - part->points.size());
    box.append(part->points);
    boxes.push_back(std::move(box));
  }
  return boxesTile(std::move(boxes), domain, kind, why);
}

bool Contributions::boxesTile(std::vector<Lists> boxes, llvm::ArrayRef<ListId> domain, Pending kind, std::string &why) {
  if (lists_.elements(domain) == 0) return true;
  for (Lists &box : boxes)
    for (size_t d = 0; d < domain.size(); ++d) {
      if (box[d] == domain[d]) continue;
      if (lists_.isFree(box[d]) || lists_.isFree(domain[d])) {
        why = "which elements of it are here does not follow";
        return false;
      }
      box[d] = lists_.intersection(box[d], domain[d]);
    }
  llvm::erase_if(boxes, [&](const Lists &box) {
    return llvm::any_of(box, [&](ListId list) { return lists_.length(list) == 0; });
  });
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
  const bool mayOverlap = kind == Pending::Max;
  if (sum < volume(domain) || boxes.empty()) {
    why = "a part of it is on no rank of the group";
    return false;
  }
  if (mayOverlap && differing.size() == 1) {
    llvm::SmallVector<Interval, 8> all;
    for (const Lists &box : boxes)
      all.append(lists_.intervals(box[differing[0]]).begin(), lists_.intervals(box[differing[0]]).end());
    llvm::sort(all, [](const Interval &a, const Interval &b) { return a.begin < b.begin; });
    llvm::SmallVector<Interval, 4> united;
    for (const Interval &next : all)
      if (!united.empty() && next.begin <= united.back().end)
        united.back().end = std::max(united.back().end, next.end);
      else
        united.push_back(next);
    if (lists_.of(united) == lists_.intersection(domain[differing[0]], domain[differing[0]])) return true;
    why = "a part of it is on no rank of the group";
    return false;
  }
  for (size_t i = 0; i < boxes.size() && !(mayOverlap && differing.empty()); ++i)
    for (size_t j = 0; j < i; ++j)
      if (llvm::none_of(differing, [&](size_t d) { return lists_.isDisjoint(boxes[i][d], boxes[j][d]); })) {
        why = "a part of it counts more than once";
        return false;
      }
  if (sum == volume(domain)) return true;
  why = "a part of it is on no rank of the group";
  return false;
}

} // namespace autotp
