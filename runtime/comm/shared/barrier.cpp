#include "runtime/comm/shared/barrier.h"

#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4,
              "the kernel reads and compares it");

/// std::atomic::wait serves threads of one process only.
void futex(std::atomic<uint32_t> &word, int operation, uint32_t value, const timespec *limit) {
  (void)::syscall(SYS_futex, &word, operation, value, limit, nullptr, 0);
}

} // namespace

bool Barrier::wait(int members, const Waiting &waiting) {
  auto isWhole = [&] { return waiting.failed.load(std::memory_order_acquire) == 0; };
  const uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members) {
    arrived_.store(0, std::memory_order_relaxed);
    passOn(waiting);
    return isWhole();
  }
  constexpr int kSpins = 2000;
  for (int i = 0; waiting.maySpin && i < kSpins; ++i) {
    if (generation_.load(std::memory_order_acquire) != generation) return isWhole();
    pause();
  }
  // A process that was killed while it woke the others leaves them asleep, so nobody sleeps for ever.
  constexpr timespec kLongest{1, 0};
  while (generation_.load(std::memory_order_acquire) == generation && isWhole()) {
    sleepers_.fetch_add(1);
    futex(generation_, waiting.isAmongThreads ? FUTEX_WAIT_PRIVATE : FUTEX_WAIT, generation, &kLongest);
    sleepers_.fetch_sub(1);
  }
  return isWhole();
}

void Barrier::release(const Waiting &waiting) { passOn(waiting); }

/// A rank counts itself as a sleeper before the kernel compares the generation, and here the generation changes before the
/// sleepers are counted: one of the two sees the other.
void Barrier::passOn(const Waiting &waiting) {
  generation_.fetch_add(1);
  if (sleepers_.load() > 0)
    futex(generation_, waiting.isAmongThreads ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE, INT32_MAX, nullptr);
}

} // namespace autotp
