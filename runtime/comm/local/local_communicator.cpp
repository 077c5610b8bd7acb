#include "runtime/comm/communicator.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

namespace autotp {
namespace {

/// Tells the core that it spins.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// A barrier that spins for a moment and then sleeps, since there may be more ranks than cores.
class Barrier {
public:
  explicit Barrier(int members) : members_(members) {}

  bool wait(const std::atomic<bool> &failed, bool maySpin) {
    uint32_t generation = generation_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
      arrived_.store(0, std::memory_order_relaxed);
      generation_.fetch_add(1, std::memory_order_release);
      generation_.notify_all();
      return !failed.load(std::memory_order_acquire);
    }
    constexpr int kSpins = 2000;
    for (int i = 0; maySpin && i < kSpins; ++i) {
      if (generation_.load(std::memory_order_acquire) != generation) return !failed.load(std::memory_order_acquire);
      pause();
    }
    while (generation_.load(std::memory_order_acquire) == generation) {
      if (failed.load(std::memory_order_acquire)) return false;
      generation_.wait(generation, std::memory_order_acquire);
    }
    return !failed.load(std::memory_order_acquire);
  }

  /// Wakes all waiters, which then see that a rank has failed.
  void release() {
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
  }

private:
  const int members_;
  std::atomic<int> arrived_{0};
  std::atomic<uint32_t> generation_{0};
};

/// What one member of a group shows to the others.
struct Member {
  const void *in = nullptr;
  void *out = nullptr;
  Device *device = nullptr;
  EventId ready = 0, done = 0; ///< its operand is ready; it needs nothing from the others any more
};

struct SharedGroup {
  explicit SharedGroup(int members) : barrier(members), members(size_t(members)) {}
  Barrier barrier;
  std::vector<Member> members;
};

struct World {
  explicit World(int ranks)
      : size(ranks), maySpin(unsigned(ranks) <= std::thread::hardware_concurrency()), everyone(ranks) {}
  const int size;
  const bool maySpin;
  std::atomic<bool> failed{false};
  SharedGroup everyone;
  std::mutex mutex; // protects `groups`, at load
  std::map<std::vector<int>, std::unique_ptr<SharedGroup>> groups;

  SharedGroup &group(const std::vector<int> &ranks) {
    std::lock_guard lock(mutex);
    std::unique_ptr<SharedGroup> &group = groups[ranks];
    if (!group) group = std::make_unique<SharedGroup>(int(ranks.size()));
    return *group;
  }
};

/// Barriers of the host order what ranks enqueue, and events order what their devices do. The host device works at once
/// and has no events.
class LocalGroup : public Group {
public:
  LocalGroup(std::shared_ptr<World> world, SharedGroup &shared, int member)
      : world_(std::move(world)), shared_(shared), me_(size_t(member)), members_(shared.members.size()),
        ins_(shared.members.size()), outs_(shared.members.size()) {}

  llvm::Error join(Device &device) {
    llvm::Expected<EventId> ready = device.makeEvent(), done = device.makeEvent();
    if (!ready || !done) return llvm::joinErrors(ready.takeError(), done.takeError());
    own_ = {nullptr, nullptr, &device, *ready, *done};
    return llvm::Error::success();
  }

  size_t size() const override { return shared_.members.size(); }
  /// Each member combines its share of the elements and writes it to all members' results.
  bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) override {
    if (!publish(in, out)) return false;
    int64_t members = int64_t(size()), begin = elements * int64_t(me_) / members,
            end = elements * int64_t(me_ + 1) / members;
    // no other member touches this part of an operand
    own_.device->combine({ins_, outs_, begin, end, 0, dtype, reduce});
    return finish();
  }

  bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override {
    if (!publish(in, out)) return false;
    int64_t begin = 0;
    for (size_t m = 0; m < me_; ++m)
      begin += counts[m];
    std::span<void *const> mine(&outs_[me_], 1);
    own_.device->combine({ins_, mine, begin, begin + counts[me_], begin, dtype, Reduce::Sum});
    return finish();
  }

  bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override {
    if (!publish(in, out)) return false;
    char *to = static_cast<char *>(out);
    for (size_t m = 0; m < counts.size(); ++m) {
      void *part = to;
      std::span<const void *const> from(&ins_[m], 1);
      if (part != from[0] && counts[m] > 0)
        own_.device->combine({from, std::span<void *const>(&part, 1), 0, counts[m], 0, dtype, Reduce::Sum});
      to += size_t(counts[m]) * sizeOf(dtype);
    }
    return finish();
  }

private:
  /// Shared data is written before the barrier and copied after it. A member may be in the next operation before this
  /// one has looked at all others, and may have joined these ranks more than once.
  bool publish(const void *in, void *out) {
    own_.in = in;
    own_.out = out;
    own_.device->record(Stream::Communication, own_.ready);
    shared_.members[me_] = own_;
    if (!shared_.barrier.wait(world_->failed, world_->maySpin)) return false;
    for (size_t m = 0; m < size(); ++m) {
      members_[m] = shared_.members[m];
      ins_[m] = members_[m].in;
      outs_[m] = members_[m].out;
      if (m != me_) own_.device->waitFor(Stream::Communication, *members_[m].device, members_[m].ready);
    }
    return true;
  }
  bool finish() {
    own_.device->record(Stream::Communication, own_.done);
    if (!shared_.barrier.wait(world_->failed, world_->maySpin)) return false;
    for (size_t m = 0; m < size(); ++m)
      if (m != me_) own_.device->waitFor(Stream::Communication, *members_[m].device, members_[m].done);
    return true;
  }

  std::shared_ptr<World> world_;
  SharedGroup &shared_;
  size_t me_;
  Member own_;
  std::vector<Member> members_;   ///< all members, in the current operation
  std::vector<const void *> ins_; ///< the same, as combine() needs it
  std::vector<void *> outs_;
};

class LocalCommunicator : public Communicator {
public:
  LocalCommunicator(std::shared_ptr<World> world, int rank) : world_(std::move(world)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return world_->size; }
  int ranksOnHost() const override { return world_->size; }
  int rankOnHost() const override { return rank_; }
  llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) override {
    int member = int(std::find(ranks.begin(), ranks.end(), rank_) - ranks.begin());
    auto group = std::make_unique<LocalGroup>(world_, world_->group(ranks), member);
    if (llvm::Error error = group->join(device)) return error;
    return group;
  }
  bool barrier() override { return world_->everyone.barrier.wait(world_->failed, world_->maySpin); }
  void abort() override {
    world_->failed.store(true, std::memory_order_release);
    world_->everyone.barrier.release();
    std::lock_guard lock(world_->mutex);
    for (auto &[ranks, group] : world_->groups)
      group->barrier.release();
  }
  bool hasFailed() const override { return world_->failed.load(std::memory_order_acquire); }

private:
  std::shared_ptr<World> world_;
  int rank_;
};

} // namespace

std::vector<std::unique_ptr<Communicator>> makeLocalCommunicators(int size) {
  auto world = std::make_shared<World>(size);
  std::vector<std::unique_ptr<Communicator>> all;
  all.reserve(size_t(size));
  for (int r = 0; r < size; ++r)
    all.push_back(std::make_unique<LocalCommunicator>(world, r));
  return all;
}

} // namespace autotp
