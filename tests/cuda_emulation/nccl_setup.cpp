// How ranks meet: communicators from a shared id, and by splits of others.
#include "tests/cuda_emulation/nccl_comm.h"

#include <algorithm>
#include <cstring>

namespace emulation {
namespace {

std::map<uint64_t, std::shared_ptr<Clique>> &cliquesById() {
  static auto *cliques = new std::map<uint64_t, std::shared_ptr<Clique>>;
  return *cliques;
}

uint64_t numberOf(const ncclUniqueId &id) {
  uint64_t number = 0;
  std::memcpy(&number, id.internal, sizeof(number));
  return number;
}

void join(State &state, Clique &clique, int rank, int device) {
  clique.sharesDevice |= std::find(clique.devices.begin(), clique.devices.end(), device) != clique.devices.end();
  clique.devices[rank] = device;
  clique.owners[rank] = std::this_thread::get_id();
  ++clique.joined;
  state.changed.notify_all();
}

/// The new end of `rank`, once all have joined.
ncclResult_t makeComm(std::shared_ptr<Clique> clique, int rank, ncclComm_t *comm) {
  *comm = nullptr;
  if (clique->sharesDevice) return ncclInvalidUsage; // as the library: "Duplicate GPU detected"
  int device = clique->devices[rank];
  *comm = new ncclComm{std::move(clique), rank, device};
  return ncclSuccess;
}

ncclResult_t initRank(State &state, Lock &lock, ncclComm_t *comm, int nranks, uint64_t id, int rank, int device) {
  if (!comm || nranks < 1 || rank < 0 || rank >= nranks || id == 0) return ncclInvalidArgument;
  std::shared_ptr<Clique> &clique = cliquesById()[id];
  if (!clique) clique = std::make_shared<Clique>(nranks);
  if (clique->size() != nranks || clique->devices[rank] >= 0) return ncclInvalidArgument;
  join(state, *clique, rank, device);
  return await(state, lock,
               {[clique = clique] { return clique->complete(); },
                [clique = clique, rank, comm] { return makeComm(clique, rank, comm); }});
}

/// The new communicators of a split that all ranks have called, each with its ranks in order of key, then of rank.
void makeCliques(Split &split, const Clique &parent) {
  std::map<int, std::vector<std::pair<int, int>>> members; // color -> key, rank
  for (auto &[rank, asked] : split.asked)
    if (asked.first != NCCL_SPLIT_NOCOLOR) members[asked.first].push_back({asked.second, rank});
  for (auto &[color, list] : members) {
    std::sort(list.begin(), list.end());
    auto clique = std::make_shared<Clique>(int(list.size()));
    for (size_t i = 0; i < list.size(); ++i) {
      clique->devices[i] = parent.devices[list[i].second];
      clique->owners[i] = parent.owners[list[i].second];
    }
    clique->joined = clique->size();
    split.made[color] = std::move(clique);
  }
}

ncclResult_t finishSplit(Split &split, const ncclComm &parent, ncclComm_t *comm) {
  auto [color, key] = split.asked[parent.rank];
  *comm = nullptr;
  if (split.made.empty()) makeCliques(split, *parent.clique);
  if (color == NCCL_SPLIT_NOCOLOR) return ncclSuccess;
  const std::shared_ptr<Clique> &clique = split.made[color];
  auto place = std::find(clique->devices.begin(), clique->devices.end(), parent.device);
  return makeComm(clique, int(place - clique->devices.begin()), comm);
}

} // namespace

ncclResult_t awaitAll(State &state, Lock &lock, std::vector<PartialCall> calls) {
  auto allReady = [&] {
    return std::all_of(calls.begin(), calls.end(), [](const PartialCall &call) { return call.isReady(); });
  };
  auto start = std::chrono::steady_clock::now();
  while (!allReady()) {
    std::chrono::duration<double> waited = std::chrono::steady_clock::now() - start;
    if (state.sticky == cudaSuccess && waited.count() > state.machine.deadlockSeconds)
      fail(state, "a communicator's ranks do not all join it");
    if (state.sticky != cudaSuccess) return ncclSystemError;
    state.changed.wait_for(lock, std::chrono::milliseconds(50));
  }
  ncclResult_t result = ncclSuccess;
  for (const PartialCall &call : calls)
    if (ncclResult_t one = call.finish(); one != ncclSuccess) result = one;
  return result;
}

ncclResult_t await(State &state, Lock &lock, PartialCall call) {
  if (groupCalls().depth == 0) return awaitAll(state, lock, {std::move(call)});
  groupCalls().pending.push_back(std::move(call));
  return ncclSuccess;
}

} // namespace emulation

using namespace emulation;

ncclResult_t ncclGetUniqueId(ncclUniqueId *uniqueId) {
  static uint64_t next = 0;
  return ncclCall([&](State &, Lock &) {
    if (!uniqueId) return ncclInvalidArgument;
    std::memset(uniqueId, 0, sizeof(*uniqueId));
    ++next;
    std::memcpy(uniqueId->internal, &next, sizeof(next));
    return ncclSuccess;
  });
}

ncclResult_t ncclCommInitRank(ncclComm_t *comm, int nranks, ncclUniqueId commId, int rank) {
  return ncclCall([&](State &state, Lock &lock) {
    return initRank(state, lock, comm, nranks, numberOf(commId), rank, currentDevice());
  });
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int nranks, ncclUniqueId commId, int rank, ncclConfig_t *) {
  return ncclCommInitRank(comm, nranks, commId, rank);
}

ncclResult_t ncclCommInitAll(ncclComm_t *comm, int ndev, const int *devlist) {
  return ncclCall([&](State &state, Lock &) {
    if (!comm || ndev < 1) return ncclInvalidArgument;
    auto clique = std::make_shared<Clique>(ndev);
    for (int i = 0; i < ndev; ++i) {
      int device = devlist ? devlist[i] : i;
      if (device < 0 || device >= state.machine.devices) return ncclInvalidArgument;
      join(state, *clique, i, device);
    }
    ncclResult_t result = ncclSuccess;
    for (int i = 0; i < ndev && result == ncclSuccess; ++i)
      result = makeComm(clique, i, comm + i);
    return result;
  });
}

ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t *newcomm, ncclConfig_t *) {
  return ncclCall([&](State &state, Lock &lock) {
    if (!comm || !newcomm || (color < 0 && color != NCCL_SPLIT_NOCOLOR)) return ncclInvalidArgument;
    Clique &clique = *comm->clique;
    Split &split = clique.splits[clique.splitCalls[comm->rank]++];
    split.asked[comm->rank] = {color, key};
    clique.owners[comm->rank] = std::this_thread::get_id();
    state.changed.notify_all();
    ncclComm parent = *comm; // which may be destroyed before a group ends
    return await(state, lock,
                 {[&split, parent] { return int(split.asked.size()) == parent.clique->size(); },
                  [&split, parent, newcomm] { return finishSplit(split, parent, newcomm); }});
  });
}
