#include "runtime/plan/collective.h"

#include <iterator>

namespace autotp {
namespace {

struct KindRow {
  plan::CollectiveKind kind;
  llvm::StringLiteral name;
  bool combines;
};
constexpr KindRow kKinds[] = {{plan::ALL_REDUCE_SUM, "all_reduce", true},
                              {plan::ALL_REDUCE_MAX, "all_reduce max", true},
                              {plan::REDUCE_SCATTER_SUM, "reduce_scatter", true},
                              {plan::ALL_GATHER, "all_gather", false}};
static_assert(std::size(kKinds) == plan::CollectiveKind_ARRAYSIZE);

struct AxisRow {
  plan::MeshAxis axis;
  llvm::StringLiteral name;
};
constexpr AxisRow kAxes[] = {{plan::TP, "tp"}, {plan::DP, "dp"}, {plan::WORLD, "world"}};
static_assert(std::size(kAxes) == plan::MeshAxis_ARRAYSIZE);

} // namespace

llvm::StringRef nameOf(plan::CollectiveKind kind) {
  for (const KindRow &row : kKinds)
    if (row.kind == kind) return row.name;
  return "";
}

llvm::StringRef nameOf(plan::MeshAxis axis) {
  for (const AxisRow &row : kAxes)
    if (row.axis == axis) return row.name;
  return "";
}

std::optional<plan::MeshAxis> meshAxisNamed(llvm::StringRef name) {
  for (const AxisRow &row : kAxes)
    if (row.name == name) return row.axis;
  return std::nullopt;
}

bool combines(plan::CollectiveKind kind) {
  for (const KindRow &row : kKinds)
    if (row.kind == kind) return row.combines;
  return false;
}

} // namespace autotp
