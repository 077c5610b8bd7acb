// What lanes of a warp do together.
#include "emulation/warp.h"

#include "tests/cuda_emulation/block_state.h"

namespace emulation {
namespace {

const char *nameOf(WarpOperation operation) {
  switch (operation) {
  case WarpOperation::Sync:
    return "__syncwarp";
  case WarpOperation::Shuffle:
    return "a shuffle";
  case WarpOperation::Ballot:
    return "a vote";
  case WarpOperation::MatchAny:
    return "__match_any_sync";
  default:
    return "a warp reduction";
  }
}

uint64_t combine(WarpOperation operation, uint64_t a, uint64_t b) {
  switch (operation) {
  case WarpOperation::Add:
    return a + b;
  case WarpOperation::Min:
    return int64_t(a) < int64_t(b) ? a : b;
  case WarpOperation::Max:
    return int64_t(a) < int64_t(b) ? b : a;
  case WarpOperation::And:
    return a & b;
  case WarpOperation::Or:
    return a | b;
  case WarpOperation::Xor:
    return a ^ b;
  default:
    return a;
  }
}

/// The result of one lane; `lanes` take part, their threads start at `first`.
uint64_t resultOf(int lane, int first, unsigned lanes) {
  const DeviceThread *threads = &theBlock.threads[first];
  const DeviceThread &self = threads[lane];
  uint64_t result = 0;
  switch (self.operation) {
  case WarpOperation::Sync:
    return 0;
  case WarpOperation::Shuffle:
    if (!(lanes >> self.sourceLane & 1))
      noteFailure("a shuffle reads lane " + std::to_string(self.sourceLane) +
                  ", which does not take part: " + placeOf(first + lane));
    else
      result = threads[self.sourceLane].value;
    return result;
  case WarpOperation::Ballot:
    for (int i = 0; i < 32; ++i)
      if (lanes >> i & 1 && threads[i].value) result |= 1u << i;
    return result;
  case WarpOperation::MatchAny:
    for (int i = 0; i < 32; ++i)
      if (lanes >> i & 1 && threads[i].value == self.value) result |= 1u << i;
    return result;
  default:
    result = self.value;
    for (int i = 0; i < 32; ++i)
      if (lanes >> i & 1 && i != lane) result = combine(self.operation, result, threads[i].value);
    return result;
  }
}

} // namespace

unsigned liveLanesOf(int warp) {
  unsigned lanes = 0;
  for (int lane = 0; lane < 32 && size_t(warp * 32 + lane) < theBlock.threads.size(); ++lane)
    if (theBlock.threads[warp * 32 + lane].state != ThreadState::Ended) lanes |= 1u << lane;
  return lanes;
}

unsigned liveLanes() { return liveLanesOf(theBlock.current / 32); }

int laneOfThread() { return theBlock.current % 32; }

namespace {

/// Lets go the group of one waiting lane if every live lane of its mask has come; false where one is still missing.
void completeGroup(int thread) {
  int first = thread / 32 * 32;
  const DeviceThread &self = theBlock.threads[thread];
  unsigned lanes = self.mask & liveLanesOf(thread / 32);
  for (int lane = 0; lane < 32; ++lane) {
    if (!(lanes >> lane & 1)) continue;
    const DeviceThread &other = theBlock.threads[first + lane];
    if (other.state != ThreadState::InWarp) return;
    if (other.mask == self.mask && other.operation == self.operation) continue;
    return noteFailure(std::string("lanes that name each other do not do the same: ") + nameOf(self.operation) +
                       " in " + placeOf(thread) + ", " + nameOf(other.operation) + " in " + placeOf(first + lane));
  }
  for (int lane = 0; lane < 32; ++lane)
    if (lanes >> lane & 1) theBlock.threads[first + lane].result = resultOf(lane, first, lanes);
  for (int lane = 0; lane < 32; ++lane)
    if (lanes >> lane & 1) theBlock.threads[first + lane].state = ThreadState::Ready;
}

} // namespace

void completeWarp(int thread) {
  if (theBlock.threads[thread].state == ThreadState::InWarp) return completeGroup(thread);
  int first = thread / 32 * 32;
  for (int other = first; other < first + 32 && size_t(other) < theBlock.threads.size(); ++other)
    if (theBlock.threads[other].state == ThreadState::InWarp) completeGroup(other);
}

uint64_t warpExchange(WarpOperation operation, unsigned mask, uint64_t value, int sourceLane) {
  int self = theBlock.current;
  if (!(mask >> (self % 32) & 1)) failKernel("a lane calls a warp operation whose mask does not name it");
  DeviceThread &thread = theBlock.threads[self];
  thread.operation = operation;
  thread.mask = mask;
  thread.value = value;
  thread.sourceLane = sourceLane;
  thread.state = ThreadState::InWarp;
  completeWarp(self);
  // Where this lane came last it goes on at once: no lane has gone on before it, and none depends on that.
  if (thread.state != ThreadState::Ready || !theBlock.failure.empty()) waitInHub();
  return theBlock.threads[self].result;
}

} // namespace emulation
