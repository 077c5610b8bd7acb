/// \file The emulated machine: one for the process, under one lock.
#pragma once

#include "cuda_runtime_api.h"
#include "emulation/control.h"
#include "tests/cuda_emulation/random.h"
#include "tests/cuda_emulation/work.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace emulation {

/// A capture that goes on; shared by the streams and events that take part.
struct Capture {
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  CUstream_st *origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  cudaError_t broken = cudaSuccess; // what ended it early
  bool over = false;
};

} // namespace emulation

struct CUstream_st {
  int device = 0;
  bool blocking = false; // waits for, and is waited for by, the legacy stream
  bool legacy = false;
  bool destroyed = false;
  bool busy = false; // the head runs outside the lock
  std::deque<emulation::Item> queue;
  emulation::CompletionPtr tail;                      // of the item enqueued last; nullptr: none ever
  std::vector<emulation::CompletionPtr> pendingWaits; // of events, for the next item
  std::shared_ptr<emulation::Capture> capture;
  std::vector<int> captureTail; // nodes that the next captured one depends on
};

struct CUevent_st {
  unsigned flags = 0;
  emulation::CompletionPtr record = nullptr; // nullptr: never recorded
  std::shared_ptr<emulation::Capture> capture = nullptr;
  std::vector<int> captureTail = {};
};

struct CUgraph_st {
  std::shared_ptr<const emulation::Graph> graph;
};

struct CUgraphExec_st {
  std::shared_ptr<const emulation::Graph> graph;
};

namespace emulation {

using Lock = std::unique_lock<std::mutex>;

struct Block {
  size_t bytes = 0;
  int device = 0;          // -1: host
  bool registered = false; // the project's own memory, pinned
};

struct State {
  State();
  std::mutex mutex;
  std::condition_variable changed;
  Machine machine;
  Random random;
  cudaError_t sticky = cudaSuccess;
  std::vector<std::string> failures;

  std::vector<std::unique_ptr<CUstream_st>> streams;
  std::map<int, CUstream_st *> legacyStreams; // by device
  std::set<cudaEvent_t> events;
  std::set<cudaGraph_t> graphs;
  std::set<cudaGraphExec_t> graphExecs;
  std::vector<std::shared_ptr<Capture>> captures;
  std::map<std::thread::id, const std::function<bool()> *> blockedThreads; // and what each waits for
  std::chrono::steady_clock::time_point progress;                          // when anything ran or was queued last

  std::map<const std::byte *, Block> memory;
  std::map<int, size_t> usedBytes; // by device
  size_t allocations = 0, launches = 0;
  std::map<const void *, int> dynamicSharedLimit;
  std::set<std::pair<int, int>> peers;
};
State &theState();

int &currentDevice();
cudaError_t remember(cudaError_t error);
/// Notes a mistake for takeFailures(), prints it, and makes it sticky, as a launch that failed is.
void fail(State &state, const std::string &text);

/// What every call does first: driver, sticky error, lock. `body(state, lock)` gives the call's own result.
template <typename F> cudaError_t call(F body) {
  State &state = theState();
  Lock lock(state.mutex);
  if (!state.machine.hasDriver) return remember(cudaErrorInsufficientDriver);
  if (state.machine.devices == 0) return remember(cudaErrorNoDevice);
  if (state.sticky != cudaSuccess) return remember(state.sticky);
  return remember(body(state, lock));
}

/// The stream of a handle, the legacy stream for 0; nullptr: not a stream.
CUstream_st *findStream(State &state, cudaStream_t handle);
/// Puts work behind what is in the stream, or into the graph that the stream captures.
cudaError_t enqueue(State &state, CUstream_st *stream, Work work);
/// Ends the capture that takes part in `stream` with an error, which it returns.
cudaError_t breakCapture(CUstream_st *stream, cudaError_t error);
/// A call that no capture of mode Global, nor one of this thread that is not Relaxed, admits: breaks such captures.
cudaError_t refuseInCapture(State &state);

/// Runs one piece of work that is ready, chosen by the seed; false: none is.
bool runOne(State &state, Lock &lock);
/// Runs work, or waits for other host threads, until `done`. `what` is said where that can never be.
cudaError_t runUntil(State &state, Lock &lock, const std::function<bool()> &done, const std::string &what);
/// Runs until nothing is queued in streams of `device`; -1: of any.
cudaError_t drain(State &state, Lock &lock, int device);
bool isIdle(const CUstream_st &stream);
/// Whether kernels of `device` may use all of it: memory of this device, or pinned.
bool isOnDevice(const State &state, const void *address, size_t bytes, int device);

} // namespace emulation
