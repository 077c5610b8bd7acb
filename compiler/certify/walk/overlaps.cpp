// compiler/certify/walk/overlaps.cpp: whether a step writes over what it still reads.
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/refusal.h"
#include "compiler/certify/state/proof.h"
#include "compiler/certify/walk/walk.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

/// Says whether two ranges overlap on some dp rank.
bool overlap(const ByteRange &a, const ByteRange &b) {
  for (int64_t rank = 0; rank < std::max(a.ranks, b.ranks) && a.bytes && b.bytes; ++rank)
    if (a.offsetOn(rank) < b.offsetOn(rank) + b.bytes && b.offsetOn(rank) < a.offsetOn(rank) + a.bytes) return true;
  return false;
}
bool isSame(const ByteRange &a, const ByteRange &b) { return a.bytes == b.bytes && a.isWithin(b); }

llvm::Error slicesOverlap() { return refuse("the slices of the dp ranks lie over each other"); }

/// An operand of a concat at its own place is not copied, so others may be read there.
bool isAtItsPlace(const plan::KernelCall &concat, const ByteRange &operand) {
  uint64_t at = concat.results(0).offset();
  for (const plan::TensorRef &ref : concat.operands()) {
    const bool isInIt = operand.offset >= at && operand.offset + operand.bytes <= at + bytesOf(ref);
    if (ref.offset() == at && isInIt && !operand.isSliced()) return true;
    at += bytesOf(ref);
  }
  return false;
}

/// Says whether a kernel may have result `j` in the memory of operand `k`, with which it overlaps.
bool mayShare(const plan::KernelCall &call, int j, int k, const ByteRange &result, const ByteRange &operand) {
  const OpDef *row = GlobalValues::rowOf(KernelId(call.kernel()));
  if (!row) return false;
  if (KernelId(call.kernel()) == KernelId::Concat && outerElements(call.results(0), integerOf(call, "axis", 0)) == 1)
    return isAtItsPlace(call, operand);
  if (!isSame(result, operand)) return false;
  return (j < 3 && row->inPlace[size_t(j)] == k) || (row->mayReuse && j == 0 && k == 0);
}

llvm::Error checkResult(const TpRank &rank, const plan::KernelCall &call, int j, const ByteRange &workspace) {
  const std::optional<ByteRange> result = rank.rangeOf(call.results(j));
  if (!result) return slicesOverlap();
  if (overlap(*result, workspace)) return refuse("a result lies in its workspace");
  for (int other = 0; other < j; ++other)
    if (overlap(*result, *rank.rangeOf(call.results(other)))) return refuse("two of its results overlap");
  for (int k = 0; k < call.operands_size(); ++k) {
    const std::optional<ByteRange> operand = rank.rangeOf(call.operands(k));
    if (operand && overlap(*result, *operand) && !mayShare(call, j, k, *result, *operand))
      return refuse("a result lies over an operand that the kernel still reads");
  }
  return llvm::Error::success();
}

llvm::Error checkCall(const TpRank &rank, const plan::KernelCall &call) {
  const ByteRange workspace{call.workspace_offset(), call.workspace_bytes(), 1, 0};
  for (int j = 0; j < call.results_size(); ++j)
    if (llvm::Error error = checkResult(rank, call, j, workspace)) return error;
  for (const plan::TensorRef &ref : call.operands())
    if (std::optional<ByteRange> operand = rank.rangeOf(ref); !operand || overlap(*operand, workspace))
      return refuse("an operand lies in its workspace");
  return llvm::Error::success();
}

bool gathers(const plan::Collective &collective) { return collective.kind() == plan::ALL_GATHER; }
bool scatters(const plan::Collective &collective) { return collective.kind() == plan::REDUCE_SCATTER_SUM; }

/// Returns where the part of this rank begins in the whole of its group; nothing if parts and whole do not fit.
std::optional<uint64_t> placeInGroup(const TpRank &rank, const plan::Collective &collective, const ByteRange &whole,
                                     const ByteRange &part) {
  const plan::Group &group = rank.program.groups(int(collective.group()));
  const auto dp = uint64_t(rank.proof.options.dp), tp = uint64_t(rank.proof.options.tp);
  if (group.axis() == plan::DP) {
    const bool fits = part.isSliced() && part.stride == part.bytes && part.bytes * dp == whole.bytes;
    return fits ? std::optional(whole.offset) : std::nullopt;
  }
  if (group.axis() == plan::WORLD) { // a rank is dp_rank * tp + tp_rank
    const bool fits = part.bytes * tp * dp == whole.bytes && (dp == 1 || part.stride == tp * part.bytes);
    return fits ? std::optional(whole.offset + uint64_t(rank.number) * part.bytes) : std::nullopt;
  }
  uint64_t at = whole.offset;
  for (auto [i, member] : indexed(group.ranks())) {
    if (member == uint32_t(rank.number) && !part.isSliced()) return at;
    at += collective.counts_size() ? uint64_t(collective.counts(int(i))) * sizeOf(DType(collective.operand().dtype()))
                                   : part.bytes;
  }
  return std::nullopt;
}

/// A member gives or receives as much as its group says.
llvm::Error checkCounts(const TpRank &rank, const plan::Collective &collective) {
  const plan::Group &group = rank.program.groups(int(collective.group()));
  if (!collective.counts_size() || (!gathers(collective) && !scatters(collective))) return llvm::Error::success();
  const int64_t own = elementsOf(gathers(collective) ? collective.operand() : collective.result());
  for (auto [i, member] : indexed(group.ranks()))
    if ((group.axis() != plan::TP || member == uint32_t(rank.number)) && collective.counts(int(i)) != own)
      return refuse("its own part is not as large as its group says");
  return llvm::Error::success();
}

/// A member's own part of what is scattered or gathered may lie at its place there.
llvm::Error checkCollective(const TpRank &rank, const plan::Collective &collective) {
  const std::optional<ByteRange> in = rank.rangeOf(collective.operand()), out = rank.rangeOf(collective.result());
  if (!in || !out) return slicesOverlap();
  if (llvm::Error error = checkCounts(rank, collective)) return error;
  const bool hasParts = gathers(collective) || scatters(collective);
  if (!overlap(*in, *out) || (isSame(*in, *out) && !hasParts)) return llvm::Error::success();
  const ByteRange &part = gathers(collective) ? *in : *out, &whole = gathers(collective) ? *out : *in;
  if (hasParts && part.offset == placeInGroup(rank, collective, whole, part)) return llvm::Error::success();
  return refuse("its result lies over its operand");
}

} // namespace

llvm::Error checkOverlaps(const TpRank &rank, const plan::Instruction &instruction) {
  return instruction.has_collective() ? checkCollective(rank, instruction.collective())
                                      : checkCall(rank, instruction.kernel());
}

} // namespace autotp
