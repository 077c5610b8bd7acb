// compiler/ops/collectives.cpp: communication, in local graphs only. {axis}: "tp", "dp" or "world"; {group}:
// coordinates on that axis. They are steps of the communicator, not kernels, and the evaluator of one rank does not
// know them.
#include "compiler/ops/families.h"

namespace autotp {
namespace {

const OpDef kOps[] = {
    // {reduce}: "sum" or "max".
    {.name = "all_reduce", .infer = inferSame, .operands = {1, 1}, .isCollective = true, .mayReuse = true},
    // {counts}: elements that each member gives. The result is flat: the members' elements in group order.
    {.name = "all_gather", .infer = inferStated, .operands = {1, 1}, .isCollective = true},
    // (slice, whole) -> whole: the slice lies at its own place in the whole.
    {.name = "all_gather_into", .infer = inferStated, .operands = {2, 2}, .isCollective = true, .inPlace = {1, -1, -1}},
    {.name = "reduce_scatter", .infer = inferStated, .operands = {1, 1}, .isCollective = true},
};

} // namespace

llvm::ArrayRef<OpDef> collectiveOps() { return kOps; }

} // namespace autotp
