// compiler/ops/collectives.cpp: collectives, which occur in local graphs only. {axis} is "tp", "dp" or "world"; {group}
// lists ranks by their place on that axis; {counts} are the elements that each member gives or receives, if they differ.
// The communicator runs them, they have no kernels, and the evaluator of one rank does not know them.
#include "compiler/ops/collectives.h"

#include "compiler/ops/families.h"

#include <numeric>

namespace autotp {
namespace {

struct CollectiveRow {
  plan::CollectiveKind kind;
  llvm::StringLiteral op;
  llvm::StringLiteral reduce; ///< the attribute {reduce}; empty: the operator has none
  Reduction how;
};
constexpr CollectiveRow kRows[] = {
    {plan::ALL_REDUCE_SUM, "all_reduce", "sum", Reduction::Sum},
    {plan::ALL_REDUCE_MAX, "all_reduce", "max", Reduction::Max},
    {plan::REDUCE_SCATTER_SUM, "reduce_scatter", "", Reduction::None},
    {plan::ALL_GATHER, "all_gather", "", Reduction::None},
    {plan::ALL_GATHER, "all_gather_into", "", Reduction::None},
};

llvm::Error checkAttributes(const Attributes &attributes) {
  if (meshAxisNamed(attributes.text("axis"))) return llvm::Error::success();
  return typeProblem("'" + llvm::Twine(attributes.text("axis")) + "' is no mesh axis");
}

llvm::Expected<Types> inferAllReduce(const OpCall &call) {
  const std::string reduce = call.attributes.text("reduce");
  if (reduce != "sum" && reduce != "max")
    return typeProblem("'" + llvm::Twine(reduce) + "' is no reduction: it is sum or max");
  if (llvm::Error error = checkAttributes(call.attributes)) return error;
  return inferSame(call);
}

llvm::Expected<Types> inferMoved(const OpCall &call) {
  if (llvm::Error error = checkAttributes(call.attributes)) return error;
  return inferStated(call);
}

const OpDef kOps[] = {
    // {reduce} is "sum" or "max".
    {.name = "all_reduce", .infer = inferAllReduce, .operands = {1, 1}, .isCollective = true, .mayReuse = true},
    // The result is flat: the members' elements in the order of the group.
    {.name = "all_gather", .infer = inferMoved, .operands = {1, 1}, .isCollective = true},
    // all_gather_into(slice, whole) -> whole: the slice lies at its own place in the whole.
    {.name = "all_gather_into", .infer = inferMoved, .operands = {2, 2}, .isCollective = true, .inPlace = {1, -1, -1}},
    {.name = "reduce_scatter", .infer = inferMoved, .operands = {1, 1}, .isCollective = true},
};

Attributes attributesOf(const RankGroup &group, llvm::ArrayRef<int64_t> counts = {}) {
  Attributes attributes = {{"axis", nameOf(group.axis).str()}, {"group", group.ranks}};
  if (!counts.empty()) attributes.set("counts", llvm::SmallVector<int64_t, 6>(counts.begin(), counts.end()));
  return attributes;
}

Type flat(const Builder &b, ValueId like, int64_t elements) { return {b.graph.type(like).dtype, {elements}}; }

} // namespace

RankGroup everyRank(plan::MeshAxis axis, int size) {
  RankGroup group{axis, llvm::SmallVector<int64_t, 6>(size_t(size))};
  std::iota(group.ranks.begin(), group.ranks.end(), 0);
  return group;
}

ValueId allReduce(Builder &b, ValueId value, const RankGroup &group, Reduction how) {
  if (group.ranks.size() == 1) return value;
  Attributes attributes = attributesOf(group);
  for (const CollectiveRow &row : kRows)
    if (row.how == how && !row.reduce.empty()) attributes.set("reduce", row.reduce.str());
  return b.make("all_reduce", {value}, std::move(attributes));
}

ValueId allGather(Builder &b, ValueId own, const RankGroup &group, int64_t elements, llvm::ArrayRef<int64_t> counts) {
  return b.makeTyped("all_gather", {own}, flat(b, own, elements), attributesOf(group, counts));
}

ValueId allGatherInto(Builder &b, ValueId own, ValueId whole, const RankGroup &group) {
  return b.makeTyped("all_gather_into", {own, whole}, b.graph.type(whole), attributesOf(group));
}

ValueId reduceScatter(Builder &b, ValueId value, const RankGroup &group, int64_t elements,
                      llvm::ArrayRef<int64_t> counts) {
  return b.makeTyped("reduce_scatter", {value}, flat(b, value, elements), attributesOf(group, counts));
}

plan::CollectiveKind kindOf(const Node &collective) {
  const std::string reduce = collective.attributes.text("reduce");
  return llvm::find_if(kRows, [&](const CollectiveRow &row) { return collective.is(row.op) && row.reduce == reduce; })
      ->kind;
}

plan::MeshAxis meshAxisOf(const Node &collective) { return *meshAxisNamed(collective.attributes.text("axis")); }

llvm::ArrayRef<OpDef> collectiveOps() { return kOps; }

} // namespace autotp
