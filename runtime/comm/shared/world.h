/// \file What the ranks of one host share: a barrier of all, a table of their groups, and whether one has failed.
#pragma once

#include "runtime/comm/shared/barrier.h"
#include "runtime/device/device.h"

#include "llvm/Support/Error.h"

#include <memory>
#include <span>
#include <vector>

namespace autotp {

/// What a member of a group shows to the others in an operation.
struct Shown {
  uintptr_t in = 0, out = 0;   ///< as World::place() counts addresses
  Device *device = nullptr;    ///< read only where ranks are threads
  EventId ready = 0, done = 0; ///< its operand is ready; it needs nothing from the others any more
};

/// A group's part of the shared memory.
struct SharedGroup {
  Barrier &barrier;
  std::span<Shown> members;
};

/// One rank's view of the memory that all ranks share. It holds no pointers, so processes may map it where they like; that
/// it holds zeros is how it begins.
class World {
public:
  /// Whether ranks reach each other's whole memory, or only what they map together.
  enum class Ranks : uint8_t { Threads, Processes };

  static size_t bytesFor(int size);
  /// `memory` is of bytesFor(size) bytes, aligned as a cache line is.
  World(std::shared_ptr<std::byte> memory, int size, Ranks ranks, bool maySpin);

  int size() const { return size_; }
  bool hasThreads() const { return ranks_ == Ranks::Threads; }
  /// `waits` counts on when a wait of this rank begins, and when it ends.
  void countWaitsIn(std::atomic<uint32_t> &waits) { waits_ = &waits; }

  /// Waits for all members of the group, or for all ranks; false if one has failed.
  bool wait(SharedGroup &group) { return waitAt(group.barrier, int(group.members.size())); }
  bool waitForAll();
  /// The group of these ranks: the first who asks makes it. Errors: there are more groups than the memory has room for.
  llvm::Expected<SharedGroup> group(const std::vector<int> &ranks);

  bool hasFailed() const;
  /// Ends every wait, now and later.
  void fail();

  /// Addresses as all ranks understand them. Processes reach those in the shared memory only.
  uintptr_t place(const void *address) const { return reinterpret_cast<uintptr_t>(address) - base_; }
  void *addressOf(uintptr_t place) const {
    return reinterpret_cast<void *>(place + base_); // NOLINT(performance-no-int-to-ptr): it came from another process
  }

private:
  struct Header;
  struct Slot;
  Header &header() const;
  Slot &slot(size_t index) const;
  SharedGroup groupIn(Slot &slot) const;
  std::span<int32_t> ranksIn(Slot &slot) const;
  bool holds(Slot &slot, const std::vector<int> &ranks) const;
  Waiting waiting() const;
  bool waitAt(Barrier &barrier, int members);

  std::shared_ptr<std::byte> memory_;
  int size_;
  Ranks ranks_;
  bool maySpin_;
  uintptr_t base_;                         ///< what addresses are counted from
  std::atomic<uint32_t> *waits_ = nullptr; ///< null: nobody asks
};

} // namespace autotp
