#include "runtime/comm/shared/world.h"

#include "runtime/base/error.h"

#include <algorithm>
#include <thread>

namespace autotp {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t roundedUp(size_t bytes) { return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine; }

/// A rank is in the world, in a group of its tp ranks and one of its dp ranks, and in a few parts of these.
size_t slotsFor(int size) { return 64 + 8 * size_t(size); }

} // namespace

struct alignas(kCacheLine) World::Header {
  std::atomic<uint32_t> failed;
  alignas(kCacheLine) Barrier everyone;
};

/// Followed by the members, and then by their ranks, with room for all ranks of the world.
struct alignas(kCacheLine) World::Slot {
  enum State : uint32_t { Free, Claimed, Ready };
  std::atomic<uint32_t> state;
  int32_t members;
  alignas(kCacheLine) Barrier barrier;
};

static size_t slotBytes(size_t header, int size) {
  return header + roundedUp(size_t(size) * sizeof(Shown)) + roundedUp(size_t(size) * sizeof(int32_t));
}

size_t World::bytesFor(int size) { return sizeof(Header) + slotsFor(size) * slotBytes(sizeof(Slot), size); }

World::World(std::shared_ptr<std::byte> memory, int size, Ranks ranks, bool maySpin)
    : memory_(std::move(memory)), size_(size), ranks_(ranks), maySpin_(maySpin),
      base_(ranks == Ranks::Threads ? 0 : reinterpret_cast<uintptr_t>(memory_.get())) {}

World::Header &World::header() const { return *reinterpret_cast<Header *>(memory_.get()); }

World::Slot &World::slot(size_t index) const {
  return *reinterpret_cast<Slot *>(memory_.get() + sizeof(Header) + index * slotBytes(sizeof(Slot), size_));
}

SharedGroup World::groupIn(Slot &slot) const {
  return {slot.barrier, {reinterpret_cast<Shown *>(&slot + 1), size_t(slot.members)}};
}

std::span<int32_t> World::ranksIn(Slot &slot) const {
  auto *at = reinterpret_cast<std::byte *>(&slot + 1) + roundedUp(size_t(size_) * sizeof(Shown));
  return {reinterpret_cast<int32_t *>(at), size_t(slot.members)};
}

Waiting World::waiting() const { return {header().failed, maySpin_, hasThreads()}; }

bool World::waitAt(Barrier &barrier, int members) {
  auto count = [&] { // only this rank writes it
    if (waits_) waits_->store(waits_->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  count();
  const bool isWhole = barrier.wait(members, waiting());
  count();
  return isWhole;
}

bool World::waitForAll() { return waitAt(header().everyone, size_); }

/// Another rank may be writing into a slot that it has claimed.
bool World::holds(Slot &slot, const std::vector<int> &ranks) const {
  while (slot.state.load(std::memory_order_acquire) == Slot::Claimed && !hasFailed())
    std::this_thread::yield();
  return slot.state.load(std::memory_order_acquire) == Slot::Ready && std::ranges::equal(ranksIn(slot), ranks);
}

llvm::Expected<SharedGroup> World::group(const std::vector<int> &ranks) {
  for (size_t i = 0; i < slotsFor(size_); ++i) {
    Slot &found = slot(i);
    uint32_t free = Slot::Free;
    if (found.state.compare_exchange_strong(free, Slot::Claimed)) {
      found.members = int32_t(ranks.size());
      std::ranges::copy(ranks, ranksIn(found).begin());
      found.state.store(Slot::Ready, std::memory_order_release);
      return groupIn(found);
    }
    if (holds(found, ranks)) return groupIn(found);
  }
  return problem("groups of ranks", llvm::formatv("there are more than {0}", slotsFor(size_)).str(),
                 "compile the plan with this autotp-compile");
}

bool World::hasFailed() const { return header().failed.load(std::memory_order_acquire) != 0; }

void World::fail() {
  header().failed.store(1, std::memory_order_release);
  header().everyone.release(waiting());
  for (size_t i = 0; i < slotsFor(size_) && slot(i).state.load() != Slot::Free; ++i)
    slot(i).barrier.release(waiting());
}

} // namespace autotp
