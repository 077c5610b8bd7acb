#include "runtime/comm/communicator.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

namespace autotp {
namespace {

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
      __builtin_ia32_pause();
    }
    while (generation_.load(std::memory_order_acquire) == generation) {
      if (failed.load(std::memory_order_acquire)) return false;
      generation_.wait(generation, std::memory_order_acquire);
    }
    return !failed.load(std::memory_order_acquire);
  }

  /// Wakes all waiters; they then see that a rank has failed.
  void release() {
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
  }

private:
  const int members_;
  std::atomic<int> arrived_{0};
  std::atomic<uint32_t> generation_{0};
};

/// What the members of one group share: where each one's operands lie.
struct SharedGroup {
  explicit SharedGroup(int members) : barrier(members), in(size_t(members)), out(size_t(members)) {}
  Barrier barrier;
  std::vector<const void *> in;
  std::vector<void *> out;
};

struct World {
  explicit World(int ranks)
      : size(ranks), maySpin(unsigned(ranks) <= std::thread::hardware_concurrency()), everyone(ranks) {}
  const int size;
  const bool maySpin;
  std::atomic<bool> failed{false};
  SharedGroup everyone;
  std::mutex mutex; // of `groups`, at load
  std::map<std::vector<int>, std::unique_ptr<SharedGroup>> groups;

  SharedGroup &group(const std::vector<int> &ranks) {
    std::lock_guard lock(mutex);
    std::unique_ptr<SharedGroup> &group = groups[ranks];
    if (!group) group = std::make_unique<SharedGroup>(int(ranks.size()));
    return *group;
  }
};

/// Elements [begin, end) of all operands, combined in member order, into every one of `outs` shifted by -shift.
template <typename T>
void combine(const std::vector<const void *> &ins, std::span<void *const> outs, int64_t begin, int64_t end,
             int64_t shift, Reduce reduce) {
  constexpr int64_t kBlock = 2048;
  alignas(64) T sum[kBlock];
  for (int64_t at = begin; at < end; at += kBlock) {
    int64_t n = std::min(kBlock, end - at);
    std::memcpy(sum, static_cast<const T *>(ins[0]) + at, size_t(n) * sizeof(T));
    for (size_t m = 1; m < ins.size(); ++m) {
      const T *next = static_cast<const T *>(ins[m]) + at;
      if (reduce == Reduce::Sum)
        for (int64_t i = 0; i < n; ++i)
          sum[i] += next[i];
      else
        for (int64_t i = 0; i < n; ++i)
          sum[i] = std::max(sum[i], next[i]);
    }
    for (void *out : outs)
      std::memcpy(static_cast<T *>(out) + at - shift, sum, size_t(n) * sizeof(T));
  }
}

void combine(DType dtype, const std::vector<const void *> &ins, std::span<void *const> outs, int64_t begin, int64_t end,
             int64_t shift, Reduce reduce) {
  switch (dtype) {
  case DType::F64:
    return combine<double>(ins, outs, begin, end, shift, reduce);
  case DType::I64:
    return combine<int64_t>(ins, outs, begin, end, shift, reduce);
  case DType::I32:
    return combine<int32_t>(ins, outs, begin, end, shift, reduce);
  default:
    return combine<float>(ins, outs, begin, end, shift, reduce);
  }
}

class LocalGroup : public Group {
public:
  LocalGroup(std::shared_ptr<World> world, SharedGroup &shared, int member)
      : world_(std::move(world)), s_(shared), me_(size_t(member)) {}

  size_t size() const override { return s_.in.size(); }
  bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) override {
    if (!publish(in, out)) return false;
    int64_t members = int64_t(s_.in.size()), begin = elements * int64_t(me_) / members,
            end = elements * int64_t(me_ + 1) / members;
    combine(dtype, s_.in, s_.out, begin, end, 0, reduce); // nobody else touches this part of any operand
    return finish();
  }

  bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override {
    if (!publish(in, out)) return false;
    int64_t begin = 0;
    for (size_t m = 0; m < me_; ++m)
      begin += counts[m];
    combine(dtype, s_.in, std::span<void *const>(&s_.out[me_], 1), begin, begin + counts[me_], begin, Reduce::Sum);
    return finish();
  }

  bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override {
    if (!publish(in, out)) return false;
    char *to = static_cast<char *>(out);
    for (size_t m = 0; m < counts.size(); ++m) {
      size_t bytes = size_t(counts[m]) * sizeOf(dtype);
      if (to != s_.in[m] && bytes > 0) std::memcpy(to, s_.in[m], bytes);
      to += bytes;
    }
    return finish();
  }

private:
  bool publish(const void *in, void *out) {
    s_.in[me_] = in;
    s_.out[me_] = out;
    return s_.barrier.wait(world_->failed, world_->maySpin);
  }
  bool finish() { return s_.barrier.wait(world_->failed, world_->maySpin); }

  std::shared_ptr<World> world_;
  SharedGroup &s_;
  size_t me_;
};

class LocalCommunicator : public Communicator {
public:
  LocalCommunicator(std::shared_ptr<World> world, int rank) : world_(std::move(world)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return world_->size; }
  int ranksOnHost() const override { return world_->size; }
  llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks) override {
    int member = int(std::find(ranks.begin(), ranks.end(), rank_) - ranks.begin());
    return std::make_unique<LocalGroup>(world_, world_->group(ranks), member);
  }
  bool barrier() override { return world_->everyone.barrier.wait(world_->failed, world_->maySpin); }
  void abort() override {
    world_->failed.store(true, std::memory_order_release);
    world_->everyone.barrier.release();
    std::lock_guard lock(world_->mutex);
    for (auto &[ranks, group] : world_->groups)
      group->barrier.release();
  }

private:
  std::shared_ptr<World> world_;
  int rank_;
};

} // namespace

std::vector<std::unique_ptr<Communicator>> makeLocalCommunicators(int size) {
  auto world = std::make_shared<World>(size);
  std::vector<std::unique_ptr<Communicator>> all;
  for (int r = 0; r < size; ++r)
    all.push_back(std::make_unique<LocalCommunicator>(world, r));
  return all;
}

} // namespace autotp
