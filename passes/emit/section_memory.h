/// \file The memory of one section: which values share bytes, how long each buffer lives, where activations lie.
#pragma once

#include "compiler/ops/op_def.h"
#include "compiler/sharding/rank_program.h"

#include "llvm/ADT/BitVector.h"

#include <optional>

namespace autotp {

/// A node that may share bytes between its result 0 and its operands, as its row says.
class SharingNode {
public:
  SharingNode(const Graph &graph, NodeId id) : row_(opOf(graph.node(id))), own_(graph, graph.node(id)) {}
  /// Where the shared bytes begin; no value if they are copied.
  std::optional<uint64_t> at(unsigned operand) const { return row_.sharedAt ? row_.sharedAt(own_.call(), operand) : 0; }

private:
  const OpDef &row_;
  const NodeCall own_;
};

/// Bytes of the arena.
struct Bytes {
  uint64_t offset, count;
};

/// Everything in the arena begins at a multiple of this.
constexpr uint64_t kAlignment = 256;
inline uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// The buffers of one section. Values that share bytes lie in one buffer, each at its own offset.
class SectionMemory {
public:
  /// `placed`: the states that get their places here, like activations; the caller places the others.
  SectionMemory(const Section &section, llvm::BitVector placed)
      : section_(section), graph_(section.graph), placedStates_(std::move(placed)), order_(graph_.order()) {}

  struct Buffer {
    uint64_t bytes = 0;
    bool isChanged = false; ///< an operator works in place on it
    bool isFixed = false;   ///< a state, an input or a constant, which the caller places
    ValueId owner = kNone;
    unsigned first = ~0u, last = 0;
    uint64_t offset = 0;
    unsigned movedTo = ~0u; ///< the buffer into which this one is merged, at `movedBy` bytes
    uint64_t movedBy = 0;
  };
  struct Place {
    unsigned buffer = ~0u;
    uint64_t offset = 0;
  };

  /// Says which values share buffers, and how long each lives. `overlaps`: kernels run on while gradients are reduced.
  void run(bool overlaps);

  /// Gives each activation the lowest offset that no buffer with an overlapping lifetime has, the largest buffers
  /// first. `base` is where the region of activations begins; returns where it ends. Bytes `taken` are left alone.
  uint64_t packActivations(uint64_t base, llvm::ArrayRef<Bytes> taken);

  Place placeOf(ValueId v) const;
  std::vector<Buffer> &buffers() { return buffers_; }

  /// After packing: the bytes of each state that got its place here, sorted.
  llvm::SmallVector<std::pair<unsigned, Bytes>, 8> placedStates() const;

private:
  unsigned newBuffer(ValueId owner, bool isFixed);

  /// Where the result begins in operand 0; no value if it must be a copy.
  std::optional<uint64_t> viewOffset(NodeId id) const;

  void placeResults(NodeId id);

  /// Computes each operand that has a buffer of its own at its place in the result of the concat, so that nothing is
  /// copied.
  void elide(NodeId id);

  /// Marks the buffers on which some operator works in place.
  void findChanged();

  void touch(ValueId v, unsigned at);

  void findLifetimes();

  /// Keeps the operand of a reduction over dp or all ranks alive until the next such reduction, or to the end.
  void holdWhatIsReduced();

  /// If an operator may overwrite its operand, and the operand is not used later, its result takes the operand's
  /// buffer.
  void reuseOperands();

  const Section &section_;
  const Graph &graph_;
  llvm::BitVector placedStates_; ///< by number
  std::vector<NodeId> order_;
  std::vector<Place> places_;
  std::vector<Buffer> buffers_;
};

} // namespace autotp
