#include "tests/cuda_emulation/state.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace emulation {
namespace {

thread_local int deviceOfThread = 0;
thread_local cudaError_t lastError = cudaSuccess;

void failAtExit() {
  State &state = theState();
  if (state.failures.empty()) return;
  std::fprintf(stderr, "cuda emulation: %zu failures that no test expected; the first: %s\n", state.failures.size(),
               state.failures.front().c_str());
  std::fflush(nullptr);
  _exit(1);
}

uint64_t firstSeed() {
  const char *text = std::getenv("AUTOTP_CUDA_EMULATION_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 0;
}

} // namespace

State::State() : random(firstSeed()) {}

State &theState() {
  static State *state = [] {
    auto *made = new State; // never destroyed: static objects of the program may still free their memory
    std::atexit(failAtExit);
    return made;
  }();
  return *state;
}

int &currentDevice() { return deviceOfThread; }

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess) lastError = error;
  return error;
}

void fail(State &state, const std::string &text) {
  std::fprintf(stderr, "cuda emulation: %s\n", text.c_str());
  state.failures.push_back(text);
  state.sticky = cudaErrorLaunchFailure;
  state.changed.notify_all();
}

void setMachine(const Machine &machine) {
  State &state = theState();
  Lock lock(state.mutex);
  state.machine = machine;
}

Machine machine() {
  State &state = theState();
  Lock lock(state.mutex);
  return state.machine;
}

void setSeed(uint64_t seed) {
  State &state = theState();
  Lock lock(state.mutex);
  state.random = Random(seed);
}

size_t allocationCount() {
  State &state = theState();
  Lock lock(state.mutex);
  return state.allocations;
}

size_t launchCount() {
  State &state = theState();
  Lock lock(state.mutex);
  return state.launches;
}

std::vector<Allocation> liveAllocations() {
  State &state = theState();
  Lock lock(state.mutex);
  std::vector<Allocation> live;
  for (const auto &[address, block] : state.memory)
    if (!block.registered) live.push_back({address, block.bytes, block.device});
  return live;
}

std::vector<std::string> takeFailures() {
  State &state = theState();
  Lock lock(state.mutex);
  return std::exchange(state.failures, {});
}

void reset() {
  State &state = theState();
  Lock lock(state.mutex);
  for (auto &stream : state.streams) {
    for (Item &item : stream->queue)
      item.done->done = true;
    stream->queue.clear();
    stream->pendingWaits.clear();
    stream->capture = nullptr;
  }
  state.captures.clear();
  state.failures.clear();
  state.sticky = cudaSuccess;
  lastError = cudaSuccess;
}

} // namespace emulation

cudaError_t cudaGetLastError() { return std::exchange(emulation::lastError, cudaSuccess); }

cudaError_t cudaPeekAtLastError() { return emulation::lastError; }

const char *cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define CUDA_ERROR(name, number, text)                                                                                 \
  case number:                                                                                                         \
    return "cuda" #name;
#include "emulation/cuda_errors.def"
#undef CUDA_ERROR
  }
  return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define CUDA_ERROR(name, number, text)                                                                                 \
  case number:                                                                                                         \
    return text;
#include "emulation/cuda_errors.def"
#undef CUDA_ERROR
  }
  return "unrecognized error code";
}
