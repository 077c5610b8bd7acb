// NCCL's operations as items of streams, and groups of them.
#include "nccl.h"

#include "tests/cuda_emulation/nccl_comm.h"

namespace emulation {
namespace {

thread_local GroupCalls callsOfThread;

ncclResult_t issue(State &state, const GroupCalls::Issued &issued) {
  int device = std::exchange(currentDevice(), issued.comm->device); // stream 0 is that of the communicator's device
  CUstream_st *stream = findStream(state, issued.stream);
  currentDevice() = device;
  if (!stream || stream->device != issued.comm->device) return ncclInvalidArgument;
  Work work{.name = "collective"};
  work.collective = std::make_shared<RankPart>(issued.comm->clique, issued.comm->rank, issued.requests);
  return resultOf(enqueue(state, stream, std::move(work)));
}

ncclResult_t check(const State &state, const Request &request, ncclComm_t comm) {
  int ranks = comm->clique->size();
  if (request.root < 0 || request.root >= ranks) return ncclInvalidArgument;
  if (request.type < 0 || request.type > ncclBfloat16 || request.reduction >= ncclNumOps) return ncclInvalidArgument;
  bool sends =
      request.operation != Operation::Recv && (request.operation != Operation::Broadcast || comm->rank == request.root);
  size_t sent = sends ? sentBytes(request, ranks) : 0, received = receivedBytes(request, ranks, comm->rank);
  if (sent && !isOnDevice(state, request.send, sent, comm->device)) return ncclInvalidArgument;
  if (received && !isOnDevice(state, request.recv, received, comm->device)) return ncclInvalidArgument;
  return ncclSuccess;
}

ncclResult_t issueAll(State &state, std::vector<GroupCalls::Issued> all) {
  ncclResult_t result = ncclSuccess;
  for (const GroupCalls::Issued &issued : all)
    if (result == ncclSuccess) result = issue(state, issued);
  return result;
}

ncclResult_t request(Request asked, ncclComm_t comm, cudaStream_t stream) {
  return ncclCall([&](State &state, Lock &) {
    if (!comm) return ncclInvalidArgument;
    GroupCalls &group = groupCalls();
    if (asked.operation == Operation::Broadcast && comm->rank != asked.root) asked.send = nullptr;
    ncclResult_t result = check(state, asked, comm);
    if (result != ncclSuccess) return group.depth ? group.error = result : result;
    if (asked.count == 0) return ncclSuccess;
    if (group.depth == 0) return issue(state, {comm, stream, {asked}});
    for (GroupCalls::Issued &issued : group.issued) {
      if (issued.comm != comm) continue;
      if (issued.stream != stream) return group.error = ncclInvalidUsage; // the library can; the project does not
      issued.requests.push_back(asked);
      return ncclSuccess;
    }
    group.issued.push_back({comm, stream, {asked}});
    return ncclSuccess;
  });
}

const std::byte *bytes(const void *data) { return static_cast<const std::byte *>(data); }
std::byte *bytes(void *data) { return static_cast<std::byte *>(data); }

} // namespace

GroupCalls &groupCalls() { return callsOfThread; }

ncclResult_t resultOf(cudaError_t error) { return error == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError; }

} // namespace emulation

using namespace emulation;

ncclResult_t ncclGetVersion(int *version) {
  if (!version) return ncclInvalidArgument;
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t result) {
  static constexpr const char *kTexts[] = {"no error",
                                           "unhandled cuda error",
                                           "unhandled system error",
                                           "internal error",
                                           "invalid argument",
                                           "invalid usage",
                                           "remote process exited or there was a network error",
                                           "operation in progress"};
  return result >= 0 && result < ncclNumResults ? kTexts[result] : "unknown result code";
}

const char *ncclGetLastError(ncclComm_t) { return ""; }

ncclResult_t ncclCommFinalize(ncclComm_t comm) { return comm ? ncclSuccess : ncclInvalidArgument; }

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  delete comm; // what was issued holds the clique
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  if (!comm) return ncclInvalidArgument;
  State &state = theState();
  Lock lock(state.mutex); // also where an error is sticky
  comm->clique->aborted[comm->rank] = true;
  state.changed.notify_all();
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *asyncError) {
  if (!comm || !asyncError) return ncclInvalidArgument;
  State &state = theState();
  Lock lock(state.mutex);
  *asyncError = state.sticky == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
  return ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int *count) {
  if (!comm || !count) return ncclInvalidArgument;
  *count = comm->clique->size();
  return ncclSuccess;
}

ncclResult_t ncclCommCuDevice(const ncclComm_t comm, int *device) {
  if (!comm || !device) return ncclInvalidArgument;
  *device = comm->device;
  return ncclSuccess;
}

ncclResult_t ncclCommUserRank(const ncclComm_t comm, int *rank) {
  if (!comm || !rank) return ncclInvalidArgument;
  *rank = comm->rank;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++groupCalls().depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  GroupCalls &group = groupCalls();
  if (group.depth == 0) return ncclInvalidUsage;
  if (--group.depth > 0) return ncclSuccess;
  GroupCalls calls = std::exchange(group, {});
  if (calls.error != ncclSuccess) return calls.error;
  return ncclCall([&](State &state, Lock &lock) {
    ncclResult_t result = awaitAll(state, lock, std::move(calls.pending));
    return result == ncclSuccess ? issueAll(state, std::move(calls.issued)) : result;
  });
}

ncclResult_t ncclAllReduce(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  return request({Operation::AllReduce, bytes(sendbuff), bytes(recvbuff), count, datatype, op}, comm, stream);
}

ncclResult_t ncclReduceScatter(const void *sendbuff, void *recvbuff, size_t recvcount, ncclDataType_t datatype,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return request({Operation::ReduceScatter, bytes(sendbuff), bytes(recvbuff), recvcount, datatype, op}, comm, stream);
}

ncclResult_t ncclAllGather(const void *sendbuff, void *recvbuff, size_t sendcount, ncclDataType_t datatype,
                           ncclComm_t comm, cudaStream_t stream) {
  return request({Operation::AllGather, bytes(sendbuff), bytes(recvbuff), sendcount, datatype}, comm, stream);
}

ncclResult_t ncclBroadcast(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  return request({Operation::Broadcast, bytes(sendbuff), bytes(recvbuff), count, datatype, ncclSum, root}, comm,
                 stream);
}

ncclResult_t ncclReduce(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op,
                        int root, ncclComm_t comm, cudaStream_t stream) {
  return request({Operation::Reduce, bytes(sendbuff), bytes(recvbuff), count, datatype, op, root}, comm, stream);
}

ncclResult_t ncclSend(const void *sendbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return request({Operation::Send, bytes(sendbuff), nullptr, count, datatype, ncclSum, peer}, comm, stream);
}

ncclResult_t ncclRecv(void *recvbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return request({Operation::Recv, nullptr, bytes(recvbuff), count, datatype, ncclSum, peer}, comm, stream);
}
