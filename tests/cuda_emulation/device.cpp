// What the machine says of its devices.
#include "tests/cuda_emulation/hardware_limits.h"
#include "tests/cuda_emulation/state.h"

#include <cstdio>
#include <cstring>

using namespace emulation;

namespace {

constexpr int kMultiprocessors = 132, kL2Bytes = 50 << 20;

bool isDevice(const State &state, int device) { return device >= 0 && device < state.machine.devices; }

} // namespace

cudaError_t cudaGetDeviceCount(int *count) {
  if (count) *count = 0;
  return call([&](State &state, Lock &) {
    if (!count) return cudaErrorInvalidValue;
    *count = state.machine.devices;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return call([&](State &state, Lock &) {
    if (!isDevice(state, device)) return cudaErrorInvalidDevice;
    currentDevice() = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int *device) {
  return call([&](State &, Lock &) {
    if (!device) return cudaErrorInvalidValue;
    *device = currentDevice();
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device) {
  return call([&](State &state, Lock &) {
    if (!prop) return cudaErrorInvalidValue;
    if (!isDevice(state, device)) return cudaErrorInvalidDevice;
    const Machine &machine = state.machine;
    *prop = {};
    std::snprintf(prop->name, sizeof(prop->name), "Emulated GPU");
    std::memcpy(prop->uuid.bytes, &device, sizeof(device));
    prop->totalGlobalMem = machine.totalBytes;
    prop->sharedMemPerBlock = kSharedBytesWithoutOptIn;
    prop->sharedMemPerBlockOptin = optInSharedBytes(machine);
    prop->sharedMemPerMultiprocessor = sharedBytesPerMultiprocessor(machine);
    prop->reservedSharedMemPerBlock = kReservedSharedBytes;
    prop->regsPerBlock = prop->regsPerMultiprocessor = 65536;
    prop->warpSize = 32;
    prop->maxThreadsPerBlock = kMaxThreadsPerBlock;
    prop->maxThreadsDim[0] = prop->maxThreadsDim[1] = 1024;
    prop->maxThreadsDim[2] = 64;
    prop->maxGridSize[0] = 0x7fffffff;
    prop->maxGridSize[1] = prop->maxGridSize[2] = 65535;
    prop->totalConstMem = 64 << 10;
    prop->major = machine.major;
    prop->minor = machine.minor;
    prop->multiProcessorCount = kMultiprocessors;
    prop->canMapHostMemory = prop->concurrentKernels = prop->unifiedAddressing = prop->streamPrioritiesSupported = 1;
    prop->pciBusID = device + 1;
    prop->asyncEngineCount = 2;
    prop->memoryBusWidth = 5120;
    prop->l2CacheSize = kL2Bytes;
    prop->maxThreadsPerMultiProcessor = kMaxThreadsPerMultiprocessor;
    prop->maxBlocksPerMultiProcessor = kMaxBlocksPerMultiprocessor;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attr, int device) {
  return call([&](State &state, Lock &) {
    if (!value) return cudaErrorInvalidValue;
    if (!isDevice(state, device)) return cudaErrorInvalidDevice;
    switch (attr) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = kMaxThreadsPerBlock;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = kSharedBytesWithoutOptIn;
      break;
    case cudaDevAttrWarpSize:
      *value = 32;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = kMultiprocessors;
      break;
    case cudaDevAttrConcurrentKernels:
      *value = 1;
      break;
    case cudaDevAttrPciBusId:
      *value = device + 1;
      break;
    case cudaDevAttrPciDeviceId:
    case cudaDevAttrPciDomainId:
      *value = 0;
      break;
    case cudaDevAttrL2CacheSize:
      *value = kL2Bytes;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = kMaxThreadsPerMultiprocessor;
      break;
    case cudaDevAttrAsyncEngineCount:
      *value = 2;
      break;
    case cudaDevAttrUnifiedAddressing:
      *value = 1;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = state.machine.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = state.machine.minor;
      break;
    case cudaDevAttrStreamPrioritiesSupported:
      *value = 1;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = int(sharedBytesPerMultiprocessor(state.machine));
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = int(optInSharedBytes(state.machine));
      break;
    default:
      return cudaErrorInvalidValue;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char *pciBusId, int len, int device) {
  return call([&](State &state, Lock &) {
    if (!pciBusId || len < 13) return cudaErrorInvalidValue;
    if (!isDevice(state, device)) return cudaErrorInvalidDevice;
    std::snprintf(pciBusId, size_t(len), "0000:%02x:00.0", unsigned(device + 1) & 0xff);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *leastPriority, int *greatestPriority) {
  return call([&](State &, Lock &) {
    if (leastPriority) *leastPriority = 0;
    if (greatestPriority) *greatestPriority = -5;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceCanAccessPeer(int *canAccessPeer, int device, int peerDevice) {
  return call([&](State &state, Lock &) {
    if (!canAccessPeer) return cudaErrorInvalidValue;
    if (!isDevice(state, device) || !isDevice(state, peerDevice)) return cudaErrorInvalidDevice;
    *canAccessPeer = device != peerDevice;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceEnablePeerAccess(int peerDevice, unsigned flags) {
  return call([&](State &state, Lock &) {
    if (flags) return cudaErrorInvalidValue;
    if (!isDevice(state, peerDevice) || peerDevice == currentDevice()) return cudaErrorInvalidDevice;
    return state.peers.insert({currentDevice(), peerDevice}).second ? cudaSuccess : cudaErrorPeerAccessAlreadyEnabled;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call([&](State &state, Lock &lock) {
    if (cudaError_t refused = refuseInCapture(state)) return refused;
    return drain(state, lock, currentDevice());
  });
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  return call([&](State &state, Lock &) {
    if (!free || !total) return cudaErrorInvalidValue;
    size_t used = state.usedBytes[currentDevice()];
    *free = used < state.machine.freeBytes ? state.machine.freeBytes - used : 0;
    *total = state.machine.totalBytes;
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int *version) {
  if (!version) return remember(cudaErrorInvalidValue);
  *version = machine().hasDriver ? CUDART_VERSION : 0;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  if (!version) return remember(cudaErrorInvalidValue);
  *version = CUDART_VERSION;
  return cudaSuccess;
}
