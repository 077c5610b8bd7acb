#include "compiler/certify/state/tensors.h"

#include "compiler/certify/values/index_lists.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/dtype.h"

namespace autotp {

uint64_t bytesOf(const plan::TensorRef &ref) {
  return uint64_t(std::max<int64_t>(0, elementsOf(ref))) * sizeOf(DType(ref.dtype()));
}

Sizes shapeOf(const plan::TensorRef &ref) { return {ref.shape().begin(), ref.shape().end()}; }

int64_t outerElements(const plan::TensorRef &ref, int64_t axis) {
  int64_t n = 1;
  for (int d = 0; d < int(axis) && d < ref.shape_size(); ++d)
    n *= ref.shape(d);
  return n;
}

std::optional<Lists> listsOf(IndexLists &lists, const PlanCovers &covers, const plan::TensorRef &ref) {
  Lists all;
  if (covers.size() != ref.shape_size()) return std::nullopt;
  for (auto [d, cover] : indexed(covers)) {
    llvm::SmallVector<Interval, 4> held;
    int64_t at = 0;
    for (int i = 0; i < std::min(cover.begins_size(), cover.ends_size()); ++i) {
      if (cover.begins(i) < at || cover.ends(i) < cover.begins(i)) return std::nullopt;
      held.push_back({cover.begins(i), at = cover.ends(i)});
    }
    all.push_back(lists.of(held));
    if (lists.length(all.back()) != ref.shape(int(d))) return std::nullopt;
  }
  return all;
}

} // namespace autotp
