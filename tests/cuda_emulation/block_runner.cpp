#include "tests/cuda_emulation/block_runner.h"

#include "tests/cuda_emulation/block_state.h"
#include "tests/cuda_emulation/shared_variables.h"

#include <cstdio>
#include <cstring>
#include <memory>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulation {

BlockState theBlock;

namespace {

const Kernel *kernelNow = nullptr;
std::vector<int> order;    // the threads of the block, shuffled
size_t nextUnstarted = 0;  // place in order
std::vector<Fiber *> idle; // fibers without a thread
std::vector<std::unique_ptr<Fiber>> fibers;
std::byte *sharedMemory = nullptr; // of exactly the size asked for, so that AddressSanitizer sees its end

void become(int thread) {
  theBlock.current = thread;
  unsigned x = blockDim.x, y = blockDim.y;
  threadIdx = {thread % x, thread / x % y, thread / (x * y)};
}

/// Runs threads to their ends; one that waits keeps this fiber, and the hub gives the next thread to another one.
void runThreads() {
  while (nextUnstarted < order.size() && theBlock.failure.empty()) {
    become(order[nextUnstarted++]);
    theBlock.threads[theBlock.current].state = ThreadState::Ready;
    kernelNow->thread();
    DeviceThread &thread = theBlock.threads[theBlock.current];
    thread.state = ThreadState::Ended;
    thread.fiber = nullptr;
    --theBlock.live;
    completeWarp(theBlock.current); // those left may have waited for this lane alone
  }
  idle.push_back(Fiber::current());
}

void startThreads() {
  while (nextUnstarted < order.size() && theBlock.failure.empty()) {
    if (idle.empty()) {
      fibers.push_back(std::make_unique<Fiber>(runThreads));
      idle.push_back(fibers.back().get());
    }
    Fiber *fiber = idle.back();
    idle.pop_back();
    fiber->enter();
  }
}

void releaseBarrier() {
  int count = 0;
  for (const DeviceThread &thread : theBlock.threads)
    count += thread.state == ThreadState::AtBarrier && thread.predicate;
  int live = theBlock.live;
  for (DeviceThread &thread : theBlock.threads) {
    if (thread.state != ThreadState::AtBarrier) continue;
    thread.state = ThreadState::Ready;
    switch (thread.barrier) {
    case Barrier::Plain:
      break;
    case Barrier::Count:
      thread.barrierResult = count;
      break;
    case Barrier::And:
      thread.barrierResult = count == live;
      break;
    case Barrier::Or:
      thread.barrierResult = count > 0;
      break;
    }
  }
  theBlock.atBarrier = 0;
}

void reportDeadlock() {
  int barrier = -1, warp = -1;
  for (size_t i = 0; i < theBlock.threads.size(); ++i) {
    if (theBlock.threads[i].state == ThreadState::AtBarrier && barrier < 0) barrier = int(i);
    if (theBlock.threads[i].state == ThreadState::InWarp && warp < 0) warp = int(i);
  }
  if (barrier >= 0)
    noteFailure("__syncthreads is not reached by all live threads: " + placeOf(barrier) + " waits there, " +
                placeOf(warp) + " in a warp operation whose lanes do not all arrive");
  else
    noteFailure("a warp operation whose named lanes do not all arrive: " + placeOf(warp) + " waits in it");
}

/// Enters the threads that can go on, each in a new order, until none is left.
void runBlock(Random &random) {
  nextUnstarted = 0;
  startThreads();
  while (theBlock.live > 0 && theBlock.failure.empty()) {
    bool moved = false;
    Shuffle places(order.size(), random);
    for (size_t i = 0; i < order.size() && theBlock.failure.empty(); ++i) {
      int thread = order[places.next()];
      if (theBlock.threads[thread].state != ThreadState::Ready) continue;
      moved = true;
      become(thread);
      theBlock.threads[thread].fiber->enter();
    }
    if (moved) continue;
    if (theBlock.atBarrier == theBlock.live)
      releaseBarrier();
    else
      reportDeadlock();
  }
}

void shuffleThreads(size_t threads, Random &random) {
  order.resize(threads);
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = threads; i > 1; --i)
    std::swap(order[i - 1], order[random.below(i)]);
}

void abandonFibers() {
  idle.clear();
  fibers.clear();
}

} // namespace

std::string placeOf(int thread) {
  unsigned x = blockDim.x, y = blockDim.y;
  char text[96];
  std::snprintf(text, sizeof(text), "thread (%u,%u,%u) of block (%u,%u,%u)", thread % x, thread / x % y,
                thread / (x * y), blockIdx.x, blockIdx.y, blockIdx.z);
  return text;
}

void noteFailure(std::string text) {
  if (theBlock.failure.empty()) theBlock.failure = std::move(text);
}

void waitInHub() {
  theBlock.threads[theBlock.current].fiber = Fiber::current();
  Fiber::leave();
}

void failKernel(const char *what) {
  noteFailure(std::string(what) + " in " + placeOf(theBlock.current));
  for (;;)
    waitInHub(); // the hub abandons this fiber
}

int blockBarrier(Barrier kind, int predicate) {
  int self = theBlock.current;
  DeviceThread &thread = theBlock.threads[self];
  thread.state = ThreadState::AtBarrier;
  thread.barrier = kind;
  thread.predicate = predicate != 0;
  ++theBlock.atBarrier;
  waitInHub();
  return theBlock.threads[self].barrierResult;
}

std::byte *dynamicShared() { return sharedMemory; }

std::string runGrid(const Kernel &kernel, dim3 grid, dim3 block, size_t sharedBytes, Random &random) {
  size_t threads = size_t(block.x) * block.y * block.z;
  uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  kernelNow = &kernel;
  gridDim = grid;
  blockDim = block;
  std::unique_ptr<std::byte, void (*)(void *)> shared(nullptr, std::free);
  if (sharedBytes) {
    void *memory = nullptr;
    if (posix_memalign(&memory, 1024, sharedBytes)) return "no host memory for dynamic shared memory";
    shared.reset(static_cast<std::byte *>(memory));
  }
  sharedMemory = shared.get();
  shuffleThreads(threads, random);
  theBlock.failure.clear();
  Shuffle places(blocks, random);
  for (uint64_t i = 0; i < blocks && theBlock.failure.empty(); ++i) {
    uint64_t at = places.next();
    blockIdx = {unsigned(at % grid.x), unsigned(at / grid.x % grid.y), unsigned(at / grid.x / grid.y)};
    theBlock.threads.assign(threads, DeviceThread());
    theBlock.live = int(threads);
    theBlock.atBarrier = 0;
    if (sharedBytes) std::memset(sharedMemory, 0xff, sharedBytes);
    poisonSharedVariables();
    runBlock(random);
  }
  if (!theBlock.failure.empty()) abandonFibers();
  sharedMemory = nullptr;
  return theBlock.failure;
}

} // namespace emulation
