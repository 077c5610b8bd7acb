#include "tests/cuda_emulation/fiber.h"

#include <cstdint>
#include <cstdlib>
#include <new>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

#ifndef __x86_64__
#error "fibers are written for x86-64 only"
#endif

// Saves what the calling convention lets a callee keep, and continues where the other stack was left.
extern "C" void emulationSwitchStack(void **save, void *load);
asm(R"(
.text
.globl emulationSwitchStack
.type emulationSwitchStack,@function
emulationSwitchStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulationSwitchStack, .-emulationSwitchStack
)");

namespace emulation {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStackBytes = 256 << 10;
#else
constexpr size_t kStackBytes = 64 << 10;
#endif
constexpr size_t kGuardBytes = 4096;

// Plain variables: one host thread at a time runs blocks, under the lock of the scheduler.
Fiber *running = nullptr;
void *hubStackPointer = nullptr;
[[maybe_unused]] void *hubFakeStack = nullptr;
[[maybe_unused]] const void *hubStack = nullptr;
[[maybe_unused]] size_t hubStackBytes = 0;
[[maybe_unused]] void *hubSanitizerFiber = nullptr;

} // namespace

Fiber::Fiber(void (*body)()) : body_(body) {
  void *memory = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuardBytes, PROT_NONE);
  stack_ = static_cast<std::byte *>(memory) + kGuardBytes;
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(stack_, kStackBytes); // an abandoned fiber may have lain here
#elif defined(__SANITIZE_THREAD__)
  sanitizerFiber_ = __tsan_create_fiber(0);
#endif
  // What a switch restores: six registers and the address of the first function, which finds the stack as after a call.
  void **top = reinterpret_cast<void **>(stack_ + kStackBytes) - 1;
  *--top = reinterpret_cast<void *>(&Fiber::begin);
  for (int i = 0; i < 6; ++i)
    *--top = nullptr;
  stackPointer_ = top;
}

Fiber::~Fiber() {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(stack_, kStackBytes);
#elif defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(sanitizerFiber_);
#endif
  munmap(stack_ - kGuardBytes, kStackBytes + kGuardBytes);
}

Fiber *Fiber::current() { return running; }

void Fiber::enter() {
  running = this;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&hubFakeStack, stack_, kStackBytes);
#elif defined(__SANITIZE_THREAD__)
  hubSanitizerFiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(sanitizerFiber_, 0);
#endif
  emulationSwitchStack(&hubStackPointer, stackPointer_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(hubFakeStack, nullptr, nullptr);
#endif
  running = nullptr;
}

void Fiber::leave() {
  Fiber *fiber = running;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fiber->fakeStack_, hubStack, hubStackBytes);
#elif defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(hubSanitizerFiber, 0);
#endif
  emulationSwitchStack(&fiber->stackPointer_, hubStackPointer);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fiber->fakeStack_, &hubStack, &hubStackBytes);
#endif
}

void Fiber::begin() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &hubStack, &hubStackBytes);
#endif
  for (;;) {
    running->body_();
    leave();
  }
}

} // namespace emulation
