// compiler/ops/collectives.cpp: collectives, which occur in local graphs only. {axis} is "tp", "dp" or "world"; {group}
// lists ranks by their place on that axis. The communicator runs them, they have no kernels, and the evaluator of one
// rank does not know them.
#include "compiler/ops/families.h"

namespace autotp {
namespace {

const OpDef kOps[] = {
    // {reduce} is "sum" or "max".
    {.name = "all_reduce", .infer = inferSame, .operands = {1, 1}, .isCollective = true, .mayReuse = true},
    // {counts} are the elements that each member gives. The result is flat: the members' elements in the order of the
    // group.
    {.name = "all_gather", .infer = inferStated, .operands = {1, 1}, .isCollective = true},
    // all_gather_into(slice, whole) -> whole: the slice lies at its own place in the whole.
    {.name = "all_gather_into", .infer = inferStated, .operands = {2, 2}, .isCollective = true, .inPlace = {1, -1, -1}},
    {.name = "reduce_scatter", .infer = inferStated, .operands = {1, 1}, .isCollective = true},
};

} // namespace

llvm::ArrayRef<OpDef> collectiveOps() { return kOps; }

} // namespace autotp
