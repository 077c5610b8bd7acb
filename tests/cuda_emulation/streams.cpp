// Streams and events.
#include "tests/cuda_emulation/state.h"

#include <algorithm>

namespace emulation {
namespace {

CUstream_st *addStream(State &state, int device, bool blocking) {
  state.streams.push_back(std::make_unique<CUstream_st>());
  CUstream_st *stream = state.streams.back().get();
  stream->device = device;
  stream->blocking = blocking;
  return stream;
}

CUstream_st *legacyStream(State &state) {
  CUstream_st *&stream = state.legacyStreams[currentDevice()];
  if (!stream) {
    stream = addStream(state, currentDevice(), false);
    stream->legacy = true;
  }
  return stream;
}

/// The legacy stream and the blocking ones of its device wait for each other.
void addImplicitWaits(State &state, const CUstream_st &stream, Item &item) {
  for (auto &other : state.streams) {
    if (other.get() == &stream || other->device != stream.device || !other->tail || other->tail->done) continue;
    if ((stream.legacy && other->blocking) || (stream.blocking && other->legacy)) item.waits.push_back(other->tail);
  }
}

std::unique_ptr<GraphRun> startGraph(const Graph &graph) {
  auto run = std::make_unique<GraphRun>();
  run->left = graph.nodes.size();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode &node = graph.nodes[i];
    run->missing.push_back(int(node.dependencies.size()));
    if (node.dependencies.empty()) run->ready.push_back(int(i));
    run->collectives.push_back(node.work.collective ? node.work.collective->issue() : nullptr);
  }
  return run;
}

cudaError_t addNode(CUstream_st *stream, Work work) {
  Capture &capture = *stream->capture;
  if (capture.broken != cudaSuccess) return cudaErrorStreamCaptureInvalidated;
  if (work.graph) return breakCapture(stream, cudaErrorStreamCaptureUnsupported);
  capture.graph->nodes.push_back({std::move(work), stream->captureTail});
  stream->captureTail = {int(capture.graph->nodes.size()) - 1};
  return cudaSuccess;
}

} // namespace

bool isIdle(const CUstream_st &stream) { return stream.queue.empty(); }

CUstream_st *findStream(State &state, cudaStream_t handle) {
  if (!handle || handle == cudaStreamLegacy) return legacyStream(state);
  for (auto &stream : state.streams)
    if (stream.get() == handle && !stream->destroyed) return handle;
  return nullptr;
}

cudaError_t enqueue(State &state, CUstream_st *stream, Work work) {
  if (stream->capture) return addNode(stream, std::move(work));
  if (stream->legacy)
    for (auto &other : state.streams)
      if (other->capture && other->blocking && other->device == stream->device)
        return breakCapture(other.get(), cudaErrorStreamCaptureImplicit);
  Item item;
  if (work.collective) work.collective = work.collective->issue();
  if (work.graph) item.graphRun = startGraph(*work.graph);
  item.work = std::move(work);
  item.waits = std::exchange(stream->pendingWaits, {});
  addImplicitWaits(state, *stream, item);
  item.done = std::make_shared<Completion>();
  stream->tail = item.done;
  stream->queue.push_back(std::move(item));
  state.progress = std::chrono::steady_clock::now();
  state.changed.notify_all();
  return cudaSuccess;
}

/// `body(state, lock, stream)` of a call on a stream.
template <typename F> cudaError_t callOn(cudaStream_t handle, F body) {
  return call([&](State &state, Lock &lock) {
    CUstream_st *stream = findStream(state, handle);
    return stream ? body(state, lock, stream) : cudaErrorInvalidResourceHandle;
  });
}

template <typename F> cudaError_t callWith(cudaEvent_t event, F body) {
  return call([&](State &state, Lock &lock) {
    return state.events.count(event) ? body(state, lock) : cudaErrorInvalidResourceHandle;
  });
}

} // namespace emulation

using namespace emulation;

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int) {
  return call([&](State &state, Lock &) {
    if (!stream || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    *stream = addStream(state, currentDevice(), flags == cudaStreamDefault);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) {
  return cudaStreamCreateWithPriority(stream, cudaStreamDefault, 0);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return callOn(handle, [](State &, Lock &, CUstream_st *stream) {
    if (stream->legacy) return cudaErrorInvalidResourceHandle;
    if (stream->capture) breakCapture(stream, cudaErrorStreamCaptureInvalidated);
    stream->destroyed = true; // what is queued still runs
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return callOn(handle, [](State &state, Lock &lock, CUstream_st *stream) {
    if (stream->capture) return breakCapture(stream, cudaErrorStreamCaptureUnsupported);
    CompletionPtr last = stream->tail;
    std::vector<CompletionPtr> waits = stream->pendingWaits;
    auto done = [&] {
      return (!last || last->done) && std::all_of(waits.begin(), waits.end(), [](auto &wait) { return wait->done; });
    };
    return runUntil(state, lock, done, "cudaStreamSynchronize");
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return callOn(handle, [](State &state, Lock &lock, CUstream_st *stream) {
    if (stream->capture) return breakCapture(stream, cudaErrorStreamCaptureUnsupported);
    if (!stream->queue.empty()) runOne(state, lock); // so that a loop of queries ends
    if (state.sticky != cudaSuccess) return state.sticky;
    return isIdle(*stream) ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t fn, void *userData) {
  return callOn(handle, [&](State &state, Lock &, CUstream_st *stream) {
    Work work{.name = "host function", .outsideLock = true};
    work.run = [fn, userData] {
      fn(userData);
      return std::string();
    };
    return enqueue(state, stream, std::move(work));
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned flags) {
  return callOn(handle, [&](State &state, Lock &, CUstream_st *stream) {
    if (!state.events.count(event)) return cudaErrorInvalidResourceHandle;
    if (flags != cudaEventWaitDefault) return cudaErrorNotSupported;
    if (event->capture) {
      if (event->capture->over) return cudaErrorCapturedEvent;
      if (stream->legacy) return breakCapture(event->capture->origin, cudaErrorStreamCaptureImplicit);
      if (stream->capture && stream->capture != event->capture)
        return breakCapture(stream, cudaErrorStreamCaptureMerge);
      stream->capture = event->capture;
      for (int node : event->captureTail)
        if (std::find(stream->captureTail.begin(), stream->captureTail.end(), node) == stream->captureTail.end())
          stream->captureTail.push_back(node);
      return cudaSuccess;
    }
    if (!event->record) return cudaSuccess;
    if (stream->capture) return breakCapture(stream, cudaErrorStreamCaptureIsolation);
    if (!event->record->done) stream->pendingWaits.push_back(event->record);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
  return call([&](State &state, Lock &) {
    if (!event || flags > 7) return cudaErrorInvalidValue;
    *event = new CUevent_st{.flags = flags};
    state.events.insert(*event);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return callWith(event, [&](State &state, Lock &) {
    state.events.erase(event);
    delete event; // what waits for it holds the completion
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  return callOn(handle, [&](State &state, Lock &, CUstream_st *stream) {
    if (!state.events.count(event)) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
      if (stream->capture->broken != cudaSuccess) return cudaErrorStreamCaptureInvalidated;
      event->capture = stream->capture;
      event->captureTail = stream->captureTail;
      return cudaSuccess;
    }
    event->capture = nullptr;
    cudaError_t error = enqueue(state, stream, {.name = "event record"});
    if (error == cudaSuccess) event->record = stream->tail;
    return error;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return callWith(event, [&](State &state, Lock &lock) {
    if (event->capture) return cudaErrorCapturedEvent;
    if (event->record && !event->record->done) runOne(state, lock);
    if (state.sticky != cudaSuccess) return state.sticky;
    return !event->record || event->record->done ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return callWith(event, [&](State &state, Lock &lock) {
    if (event->capture) return cudaErrorCapturedEvent;
    CompletionPtr record = event->record;
    return runUntil(
        state, lock, [&] { return !record || record->done; }, "cudaEventSynchronize");
  });
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end) {
  return call([&](State &state, Lock &) {
    if (!ms || !state.events.count(start) || !state.events.count(end)) return cudaErrorInvalidResourceHandle;
    if ((start->flags | end->flags) & cudaEventDisableTiming) return cudaErrorInvalidResourceHandle;
    if (!start->record || !end->record) return cudaErrorInvalidResourceHandle;
    if (!start->record->done || !end->record->done) return cudaErrorNotReady;
    *ms = std::chrono::duration<float, std::milli>(end->record->at - start->record->at).count();
    return cudaSuccess;
  });
}
