/// \file The collectives of ranks that are processes of one host, on operands anywhere in their own memory.
#pragma once

#include "runtime/comm/shared/peer_group.h"

namespace autotp {

/// Carries operands through memory that all members map, a part after the other, so that a part is still in the caches
/// when it is combined. Each element is combined as PeerGroup does it, so results have the same bits.
class StagedGroup : public Group {
public:
  /// `stage` is this rank's part of the shared memory, used by no other rank.
  StagedGroup(std::unique_ptr<PeerGroup> inner, std::span<std::byte> stage)
      : inner_(std::move(inner)), stage_(stage), counts_(size()), parts_(size()) {}

  size_t size() const override { return inner_->size(); }
  bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) override;
  bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override;
  bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override;

private:
  /// Calls body(at) for the elements from `at` on of every member's part, of which counts_ holds those that are next: at
  /// most `most` of each. False if a call is.
  template <typename Body> bool inTurns(std::span<const int64_t> counts, int64_t most, Body body);

  std::unique_ptr<PeerGroup> inner_;
  std::span<std::byte> stage_;
  std::vector<int64_t> counts_; ///< of each member, in the current turn
  std::vector<void *> parts_;
};

} // namespace autotp
