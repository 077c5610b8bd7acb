/// \file The collectives of ranks that reach each other's operands.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/shared/world.h"

namespace autotp {

/// Ranks show each other where their operands are, between two barriers in which they read and write them. Barriers of the
/// host order what ranks enqueue, and events order what their devices do. The host device works at once and has no
/// events.
class PeerGroup : public Group {
public:
  /// `world` outlives the group. Errors: the device makes no events; there are too many groups.
  static llvm::Expected<std::unique_ptr<PeerGroup>> join(World &world, const std::vector<int> &ranks, int rank,
                                                         Device &device);

  size_t size() const override { return shared_.members.size(); }
  size_t member() const { return me_; }
  /// Each member combines its share of the elements and writes it to all members' results. Processes reach operands and
  /// results in the memory that they share.
  bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) override;
  /// `out` may be anywhere.
  bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override;
  bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override;
  /// The same with a place for each member's part, which may be anywhere.
  bool gather(const void *in, std::span<void *const> parts, std::span<const int64_t> counts, DType dtype);

private:
  PeerGroup(World &world, SharedGroup shared, size_t member, Shown own);
  bool show(const void *in, void *out);
  bool finish();
  void waitForDevices(EventId Shown::*event);

  World &world_;
  SharedGroup shared_;
  size_t me_;
  Shown own_;
  std::vector<Shown> members_;    ///< all members, in the current operation
  std::vector<const void *> ins_; ///< the same, as combine() needs it
  std::vector<void *> outs_, parts_;
};

} // namespace autotp
