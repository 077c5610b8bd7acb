/// \file Stacks that can be left and entered again: one for each thread of a block that waits.
#pragma once

#include <cstddef>
#include <memory>

namespace emulation {

/// Code with a stack of its own. All switches go between the hub, which is the host thread that runs a block, and a
/// fiber; a fiber may be entered by another host thread than the one that entered it last.
class Fiber {
public:
  /// `body` is entered again and again: it ends its work by leave(), which returns when there is new work.
  explicit Fiber(void (*body)());
  ~Fiber();
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;

  /// From the hub: runs this fiber until it leaves.
  void enter();
  /// From the fiber that runs: back to the hub.
  static void leave();
  static Fiber *current();

private:
  static void begin();
  void (*body_)();
  std::byte *stack_;
  void *stackPointer_ = nullptr;
  void *fakeStack_ = nullptr;      // AddressSanitizer's, for locals that outlive their scope
  void *sanitizerFiber_ = nullptr; // ThreadSanitizer's
};

} // namespace emulation
