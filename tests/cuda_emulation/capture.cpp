// Capture of streams into graphs, and graphs.
#include "tests/cuda_emulation/state.h"

#include <algorithm>

namespace emulation {
namespace {

/// Nodes that no other node depends on must all lie before the origin's end.
bool isJoined(const Capture &capture) {
  std::vector<bool> hasDependent(capture.graph->nodes.size(), false);
  for (const GraphNode &node : capture.graph->nodes)
    for (int dependency : node.dependencies)
      hasDependent[dependency] = true;
  for (int node : capture.origin->captureTail)
    hasDependent[node] = true;
  return std::find(hasDependent.begin(), hasDependent.end(), false) == hasDependent.end();
}

void endCapture(State &state, const std::shared_ptr<Capture> &capture) {
  capture->over = true;
  for (auto &stream : state.streams)
    if (stream->capture == capture) {
      stream->capture = nullptr;
      stream->captureTail.clear();
    }
  std::erase(state.captures, capture);
}

} // namespace

cudaError_t breakCapture(CUstream_st *stream, cudaError_t error) {
  if (stream->capture && stream->capture->broken == cudaSuccess) stream->capture->broken = error;
  return error;
}

cudaError_t refuseInCapture(State &state) {
  cudaError_t error = cudaSuccess;
  for (auto &capture : state.captures) {
    bool ours = capture->thread == std::this_thread::get_id() && capture->mode == cudaStreamCaptureModeThreadLocal;
    if (capture->mode != cudaStreamCaptureModeGlobal && !ours) continue;
    error = breakCapture(capture->origin, cudaErrorStreamCaptureUnsupported);
  }
  return error;
}

} // namespace emulation

using namespace emulation;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return call([&](State &state, Lock &) {
    CUstream_st *stream = findStream(state, handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->legacy) return cudaErrorStreamCaptureUnsupported;
    if (stream->capture) return cudaErrorInvalidValue;
    stream->capture = std::make_shared<Capture>();
    stream->capture->origin = stream;
    stream->capture->mode = mode;
    stream->capture->thread = std::this_thread::get_id();
    state.captures.push_back(stream->capture);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *graph) {
  return call([&](State &state, Lock &) {
    CUstream_st *stream = findStream(state, handle);
    if (!stream || !graph) return cudaErrorInvalidValue;
    *graph = nullptr;
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) return cudaErrorInvalidValue;
    if (capture->origin != stream) return breakCapture(stream, cudaErrorStreamCaptureUnmatched);
    if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
      return cudaErrorStreamCaptureWrongThread;
    cudaError_t broken = capture->broken;
    bool joined = isJoined(*capture);
    endCapture(state, capture);
    if (broken != cudaSuccess)
      return broken == cudaErrorStreamCaptureUnmatched ? broken : cudaErrorStreamCaptureInvalidated;
    if (!joined) return cudaErrorStreamCaptureUnjoined;
    *graph = new CUgraph_st{capture->graph};
    state.graphs.insert(*graph);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus *status) {
  return call([&](State &state, Lock &) {
    CUstream_st *stream = findStream(state, handle);
    if (!stream || !status) return cudaErrorInvalidValue;
    *status = !stream->capture                         ? cudaStreamCaptureStatusNone
              : stream->capture->broken == cudaSuccess ? cudaStreamCaptureStatusActive
                                                       : cudaStreamCaptureStatusInvalidated;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *numNodes) {
  return call([&](State &state, Lock &) {
    if (!state.graphs.count(graph) || !numNodes) return cudaErrorInvalidValue;
    if (nodes) return cudaErrorNotSupported; // counting alone
    *numNodes = graph->graph->nodes.size();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long) {
  return call([&](State &state, Lock &) {
    if (!exec || !state.graphs.count(graph)) return cudaErrorInvalidValue;
    *exec = new CUgraphExec_st{graph->graph};
    state.graphExecs.insert(*exec);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t handle) {
  return call([&](State &state, Lock &) {
    return findStream(state, handle) && state.graphExecs.count(exec) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t handle) {
  return call([&](State &state, Lock &) {
    CUstream_st *stream = findStream(state, handle);
    if (!stream || !state.graphExecs.count(exec)) return cudaErrorInvalidValue;
    return enqueue(state, stream, {.name = "graph", .graph = exec->graph});
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call([&](State &state, Lock &) {
    if (!state.graphs.erase(graph)) return cudaErrorInvalidValue;
    delete graph;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return call([&](State &state, Lock &) {
    if (!state.graphExecs.erase(exec)) return cudaErrorInvalidValue;
    delete exec; // a launch that goes on holds the graph
    return cudaSuccess;
  });
}
