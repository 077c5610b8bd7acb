/// \file The threads of the block that runs. Plain variables: one host thread at a time runs blocks.
#pragma once

#include "emulation/warp.h"
#include "tests/cuda_emulation/fiber.h"

#include <string>
#include <vector>

namespace emulation {

enum class ThreadState : unsigned char { Unstarted, Ready, AtBarrier, InWarp, Ended };

struct DeviceThread {
  ThreadState state = ThreadState::Unstarted;
  Fiber *fiber = nullptr; // while it waits
  Barrier barrier = Barrier::Plain;
  int predicate = 0, barrierResult = 0;
  WarpOperation operation = WarpOperation::Sync;
  unsigned mask = 0;
  int sourceLane = 0;
  uint64_t value = 0, result = 0;
};

struct BlockState {
  std::vector<DeviceThread> threads;
  int current = 0; // the thread that runs
  int live = 0;    // not Ended
  int atBarrier = 0;
  std::string failure; // the first one; not empty: the launch ends
};
extern BlockState theBlock;

/// "thread (3,0,0) of block (1,0,0)".
std::string placeOf(int thread);
/// Lanes of this warp that exist and have not ended.
unsigned liveLanesOf(int warp);
/// Lets go the lanes that wait together with `thread`, if all have come.
void completeWarp(int thread);
/// Notes a failure; the hub then abandons the block.
void noteFailure(std::string text);
/// Leaves the running thread's fiber until the hub enters it again.
void waitInHub();

} // namespace emulation
