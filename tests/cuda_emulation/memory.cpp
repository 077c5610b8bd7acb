// Device and pinned memory, copies and fills.
#include "tests/cuda_emulation/state.h"

#include <cstdlib>
#include <cstring>

namespace emulation {
namespace {

constexpr size_t kAlignment = 256;

/// The allocation that `address` lies in.
const Block *blockOf(const State &state, const void *address, size_t *bytesBehind = nullptr) {
  auto *at = static_cast<const std::byte *>(address);
  auto next = state.memory.upper_bound(at);
  if (next == state.memory.begin()) return nullptr;
  auto &[start, block] = *std::prev(next);
  if (at >= start + block.bytes) return nullptr;
  if (bytesBehind) *bytesBehind = size_t(start + block.bytes - at);
  return &block;
}

void *allocate(State &state, size_t bytes, int device) {
  void *memory = nullptr;
  if (posix_memalign(&memory, kAlignment, bytes)) return nullptr;
  std::memset(memory, 0xff, bytes);
  state.memory[static_cast<std::byte *>(memory)] = {bytes, device, false};
  ++state.allocations;
  if (device >= 0) state.usedBytes[device] += bytes;
  return memory;
}

cudaError_t release(State &state, void *address, bool host) {
  auto found = state.memory.find(static_cast<std::byte *>(address));
  if (found == state.memory.end() || found->second.registered || (found->second.device < 0) != host)
    return cudaErrorInvalidValue;
  if (!host) state.usedBytes[found->second.device] -= found->second.bytes;
  state.memory.erase(found);
  std::free(address);
  return cudaSuccess;
}

cudaError_t allocateHost(void **ptr, size_t size) {
  return call([&](State &state, Lock &) {
    if (!ptr) return cudaErrorInvalidValue;
    if (cudaError_t refused = refuseInCapture(state)) return refused;
    *ptr = nullptr;
    if (size == 0) return cudaSuccess;
    *ptr = allocate(state, size, -1);
    return *ptr ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

enum class Side { Pageable, Pinned, Device };

/// What memory [address, address + count) is; false where it is none that may be read or written.
bool sideOf(const State &state, const void *address, size_t count, Side &side) {
  size_t behind = 0;
  const Block *block = blockOf(state, address, &behind);
  side = !block ? Side::Pageable : block->device < 0 ? Side::Pinned : Side::Device;
  return !block || count <= behind || side == Side::Pinned;
}

bool isDeviceSide(cudaMemcpyKind kind, bool destination) {
  return kind == cudaMemcpyDeviceToDevice || kind == (destination ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost);
}

/// Queues a copy; `waits` tells whether the call must wait for it: a copy out to pageable memory always does.
cudaError_t enqueueCopy(State &state, CUstream_st *stream, void *to, const void *from, size_t count,
                        cudaMemcpyKind kind, bool *waits) {
  Side toSide, fromSide;
  if (kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  if (!to || !from || !sideOf(state, to, count, toSide) || !sideOf(state, from, count, fromSide))
    return cudaErrorInvalidValue;
  if (kind != cudaMemcpyDefault &&
      ((toSide == Side::Device) != isDeviceSide(kind, true) || (fromSide == Side::Device) != isDeviceSide(kind, false)))
    return cudaErrorInvalidValue;
  *waits = toSide == Side::Pageable && !stream->capture;
  Work work{.name = "copy"};
  if (fromSide == Side::Pageable && !stream->capture) {
    auto *start = static_cast<const std::byte *>(from);
    work.run = [to, staged = std::vector<std::byte>(start, start + count)] {
      std::memcpy(to, staged.data(), staged.size());
      return std::string();
    };
  } else {
    work.run = [to, from, count] {
      std::memmove(to, from, count);
      return std::string();
    };
  }
  return enqueue(state, stream, std::move(work));
}

cudaError_t copy(void *to, const void *from, size_t count, cudaMemcpyKind kind, cudaStream_t handle, bool synchronous) {
  return call([&](State &state, Lock &lock) {
    if (synchronous)
      if (cudaError_t refused = refuseInCapture(state)) return refused;
    CUstream_st *stream = findStream(state, handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (count == 0) return cudaSuccess;
    bool waits = false;
    cudaError_t error = enqueueCopy(state, stream, to, from, count, kind, &waits);
    if (error != cudaSuccess) return error;
    CompletionPtr done = stream->tail;
    bool onDevice = kind == cudaMemcpyDeviceToDevice; // which the host does not wait for
    if (!waits && (!synchronous || onDevice)) return cudaSuccess;
    return runUntil(
        state, lock, [&] { return done->done; }, "a copy");
  });
}

} // namespace

bool isOnDevice(const State &state, const void *address, size_t bytes, int device) {
  size_t behind = 0;
  const Block *block = blockOf(state, address, &behind);
  return block && bytes <= behind && (block->device < 0 || block->device == device);
}

} // namespace emulation

using namespace emulation;

cudaError_t cudaMalloc(void **devPtr, size_t size) {
  return call([&](State &state, Lock &) {
    if (!devPtr) return cudaErrorInvalidValue;
    if (cudaError_t refused = refuseInCapture(state)) return refused;
    *devPtr = nullptr;
    if (size == 0) return cudaSuccess;
    size_t used = state.usedBytes[currentDevice()];
    if (used > state.machine.freeBytes || size > state.machine.freeBytes - used) return cudaErrorMemoryAllocation;
    *devPtr = allocate(state, size, currentDevice());
    return *devPtr ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t cudaFree(void *devPtr) {
  return call([&](State &state, Lock &lock) {
    if (!devPtr) return cudaSuccess;
    if (cudaError_t refused = refuseInCapture(state)) return refused;
    const Block *block = blockOf(state, devPtr);
    if (!block) return cudaErrorInvalidValue;
    if (cudaError_t error = drain(state, lock, block->device)) return error;
    return release(state, devPtr, false);
  });
}

cudaError_t cudaMallocHost(void **ptr, size_t size) { return allocateHost(ptr, size); }

cudaError_t cudaHostAlloc(void **ptr, size_t size, unsigned flags) {
  return flags > 7 ? remember(cudaErrorInvalidValue) : allocateHost(ptr, size);
}

cudaError_t cudaFreeHost(void *ptr) {
  return call([&](State &state, Lock &lock) {
    if (!ptr) return cudaSuccess;
    if (cudaError_t refused = refuseInCapture(state)) return refused;
    if (cudaError_t error = drain(state, lock, -1)) return error;
    return release(state, ptr, true);
  });
}

cudaError_t cudaHostRegister(void *ptr, size_t size, unsigned) {
  return call([&](State &state, Lock &) {
    if (!ptr || size == 0) return cudaErrorInvalidValue;
    if (blockOf(state, ptr)) return cudaErrorHostMemoryAlreadyRegistered;
    state.memory[static_cast<std::byte *>(ptr)] = {size, -1, true};
    return cudaSuccess;
  });
}

cudaError_t cudaHostUnregister(void *ptr) {
  return call([&](State &state, Lock &) {
    auto found = state.memory.find(static_cast<std::byte *>(ptr));
    if (found == state.memory.end() || !found->second.registered) return cudaErrorHostMemoryNotRegistered;
    state.memory.erase(found);
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t count, cudaMemcpyKind kind) {
  return copy(dst, src, count, kind, nullptr, true);
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t count, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy(dst, src, count, kind, stream, false);
}

cudaError_t cudaMemcpyPeerAsync(void *dst, int, const void *src, int, size_t count, cudaStream_t stream) {
  return copy(dst, src, count, cudaMemcpyDeviceToDevice, stream, false);
}

cudaError_t cudaMemsetAsync(void *devPtr, int value, size_t count, cudaStream_t handle) {
  return call([&](State &state, Lock &) {
    CUstream_st *stream = findStream(state, handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (count == 0) return cudaSuccess;
    Side side;
    if (!sideOf(state, devPtr, count, side) || side == Side::Pageable) return cudaErrorInvalidValue;
    Work work{.name = "fill"};
    work.run = [devPtr, value, count] {
      std::memset(devPtr, value, count);
      return std::string();
    };
    return enqueue(state, stream, std::move(work));
  });
}

cudaError_t cudaMemset(void *devPtr, int value, size_t count) { return cudaMemsetAsync(devPtr, value, count, nullptr); }
