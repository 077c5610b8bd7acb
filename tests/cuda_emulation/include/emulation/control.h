/// \file How a test sets the emulated machine up and asks what happened. Names of it are for tests alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace emulation {

/// What the emulated machine is like; set before the first CUDA call of a test, while nothing is queued.
struct Machine {
  int devices = 1;
  int major = 9, minor = 0;             // compute capability
  size_t totalBytes = size_t(80) << 30; // what the device says it has
  size_t freeBytes = size_t(78) << 30;  // less what is allocated on it
  bool hasDriver = true;                // else every call gives cudaErrorInsufficientDriver
  double deadlockSeconds = 60;          // how long a wait for another host thread may take
};
void setMachine(const Machine &machine);
Machine machine();

/// Seeds the order of streams, graph nodes, blocks and threads. The environment's AUTOTP_CUDA_EMULATION_SEED is the
/// first one; 0 where it is not set.
void setSeed(uint64_t seed);

struct Allocation {
  const void *address;
  size_t bytes;
  int device; // -1: pinned host memory
};
/// Allocations ever made, of device and pinned memory.
size_t allocationCount();
std::vector<Allocation> liveAllocations();
size_t launchCount();

/// Mistakes found since the last call: barriers that not all threads reach, waits that nobody can end, collectives that
/// differ between ranks. One that no test takes ends the process with a status that is not 0.
std::vector<std::string> takeFailures();
/// Forgets queued work, failures and sticky errors; streams, events and memory stay valid.
void reset();

} // namespace emulation
