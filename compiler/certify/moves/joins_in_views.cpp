// compiler/certify/moves/joins_in_views.cpp: contents side by side under another shape of their root.
#include "compiler/certify/contents/symbols.h"
#include "compiler/certify/moves/joins.h"
#include "compiler/certify/moves/views.h"
#include "runtime/base/indexed.h"

namespace autotp {

const Content *Joins::joinInViews(Parts contents, llvm::ArrayRef<Sizes> shapes, size_t axis) {
  const auto *model = contents.empty() ? nullptr : contents[0]->as<Elements>();
  if (!model) return nullptr;
  for (ViewId id : symbols_.values.viewsOf(model->root)) {
    const View &view = symbols_.values.view(id);
    std::optional<Lists> all = joinedInView(view, contents, shapes, axis);
    if (std::optional<Lists> joined = all ? inRoot(lists_, view, *all) : std::nullopt) return merged(contents, *joined);
  }
  return nullptr;
}

/// Returns the lists of a view's dimensions that contents of its root have together.
std::optional<Lists> Joins::joinedInView(const View &view, Parts contents, llvm::ArrayRef<Sizes> shapes, size_t axis) {
  std::optional<Lists> all;
  if (view.shape.size() <= axis) return std::nullopt;
  for (auto [k, content] : indexed(contents)) {
    const auto *elements = content->as<Elements>();
    if (!elements || elements->root != view.root) return std::nullopt;
    std::optional<Lists> own = inView(lists_, view, elements->lists, shapes[k]);
    if (!own || lists_.lengths(*own) != shapes[k]) return std::nullopt;
    if (!all) {
      all = own;
      continue;
    }
    for (size_t d = 0; d < own->size(); ++d)
      if (d != axis && (*own)[d] != (*all)[d]) return std::nullopt;
    std::optional<ListId> next = lists_.joined((*all)[axis], (*own)[axis]);
    if (!next) return std::nullopt;
    (*all)[axis] = *next;
  }
  return all;
}

/// Joins contents that together are these elements of one root, each once.
const Content *Joins::merged(Parts contents, llvm::ArrayRef<ListId> joined) {
  const Elements &first = *contents[0]->as<Elements>();
  Elements all{first.root, Lists(joined.begin(), joined.end())};
  all.summedOver = first.summedOver;
  all.isUpdated = first.isUpdated;
  uint64_t bytes = 0;
  for (const Content *content : contents) {
    const Elements &own = *content->as<Elements>();
    if (own.partial == Partial::Max || own.summedOver != first.summedOver || own.isUpdated != first.isUpdated)
      return nullptr;
    if (own.isPartial()) all.partial = Partial::Sum;
    bytes += content->bytes;
    llvm::append_range(all.summands, summandsOf(own));
  }
  if (!all.isPartial()) all.summands.clear();
  return symbols_.store.add({contents[0]->dtype, bytes, std::move(all)});
}

} // namespace autotp
