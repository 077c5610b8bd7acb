#include "compiler/certify/moves/views.h"

#include "compiler/certify/contents/contributions.h"
#include "compiler/certify/values/global_values.h"
#include "compiler/certify/values/index_lists.h"
#include "runtime/base/indexed.h"

namespace autotp {

std::optional<Lists> inView(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> held,
                            llvm::ArrayRef<int64_t> local) {
  Lists positions;
  for (auto [d, list] : indexed(held)) {
    std::optional<ListId> at = lists.positionsIn(list, view.window[d]);
    if (!at) return std::nullopt;
    positions.push_back(*at);
  }
  std::optional<Lists> folded = lists.refold(view.sizes, positions, view.shape, local);
  if (folded)
    for (auto [d, list] : indexed(*folded))
      if (lists.isFree(list) && lists.length(list) == view.shape[d]) list = lists.whole(view.shape[d]);
  return folded;
}

std::optional<Lists> inRoot(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> held) {
  std::optional<Lists> positions = lists.refold(view.shape, held, view.sizes, {});
  if (!positions) return std::nullopt;
  Lists own;
  for (auto [d, list] : indexed(*positions))
    own.push_back(lists.select(view.window[d], list));
  return own;
}

std::optional<Lists> spansInView(IndexLists &lists, const View &view, llvm::ArrayRef<ListId> spans) {
  Lists all;
  if (llvm::all_of(spans, [](ListId span) { return span == kWholeSpan; })) {
    all.assign(view.shape.size(), kWholeSpan);
    return all;
  }
  for (auto [d, span] : indexed(spans))
    all.push_back(span == kWholeSpan ? view.window[d] : lists.intersection(span, view.window[d]));
  std::optional<Lists> folded = inView(lists, view, all);
  if (folded)
    for (auto [d, list] : indexed(*folded))
      if (lists.isWhole(list, view.shape[d])) list = kWholeSpan;
  return folded;
}

} // namespace autotp
