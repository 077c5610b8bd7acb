#include "runtime/train/communicators.h"

#include "runtime/base/error.h"
#include "runtime/comm/gloo/gloo_communicator.h"
#include "runtime/comm/mpi/broadcast.h"
#include "runtime/comm/nccl/nccl_communicator.h"
#include "runtime/comm/shm/shm_communicator.h"
#include "runtime/device/cuda/device.h"
#include "runtime/train/join_over_nccl.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {
namespace {

std::string whyNotNccl(const CommunicatorRequest &request) {
  if (!request.manifest) return "the plan cannot be read";
  if (!request.isForGpus()) return "the plan is for the host";
  if (!hasNccl()) return "this build has no NCCL";
  if (request.launch || !request.named.empty()) return "";
  const size_t ranks = request.manifest->ranks.size();
  if (ranks == 1) return "the plan has one rank";
  const int gpus = countGpus();
  return size_t(gpus) >= ranks ? "" : llvm::formatv("there are {0} GPUs for {1} ranks", gpus, ranks).str();
}

std::string whyNotShm(const CommunicatorRequest &request) {
  if (request.isForGpus()) return "the plan is for GPUs";
  if (!request.launch) return "no launcher started this process";
  const Launch &launch = *request.launch;
  if (!request.named.empty() || launch.ranksOnHost == launch.worldSize) return "";
  return launch.ranksOnHost == 0 ? std::string(launch.launcher->name) + " does not say that all ranks are on one host"
                                 : "the ranks are on several hosts";
}

std::string whyNotMpi(const CommunicatorRequest &request) {
  if (request.isForGpus()) return "the plan is for GPUs";
  if (request.launch && !request.launch->launcher->startsMpi)
    return std::string(request.launch->launcher->name) + " starts no MPI";
  if (!request.launch && request.named.empty()) return "no launcher started this process";
  return hasMpi() ? "" : "this build has no MPI";
}

std::string whyNotGloo(const CommunicatorRequest &request) {
  if (request.isForGpus()) return "the plan is for GPUs";
  if (!request.launch) return "no launcher started this process";
  return hasGloo() ? "" : "this build has no gloo";
}

std::string whyNotLocal(const CommunicatorRequest &request) {
  if (!request.launch || !request.named.empty()) return "";
  return llvm::formatv("{0} started this process as one of {1} ranks", request.launch->launcher->name,
                       request.launch->worldSize);
}

llvm::Expected<std::unique_ptr<Communicator>> joinNccl(const CommunicatorRequest &request) {
  return joinOverNccl(request.plan, *request.manifest, *request.launch, request.variable);
}

std::chrono::milliseconds timeoutOf(const CommunicatorRequest &request) {
  return std::chrono::milliseconds(int64_t(request.rankTimeout * 1000));
}

llvm::Expected<std::unique_ptr<Communicator>> joinShm(const CommunicatorRequest &request) {
  WatchLimits limits;
  limits.awaited = timeoutOf(request);
  return joinOverSharedMemory(*request.launch, request.variable, request.facts, limits);
}

llvm::Error checkFactsOverMpi(const RankFacts &own, const Communicator &process) {
  auto lines = gatherOverMpi(saidLine(llvm::json::Object{{"facts", toJson(own)}}));
  if (!lines) return lines.takeError();
  std::vector<RankFacts> all(lines->size());
  for (size_t r = 0; r < all.size(); ++r)
    if (llvm::Error error =
            readSaid((*lines)[r], [&](llvm::json::ObjectMapper &map) { return map.map("facts", all[r]); }))
      return error;
  return saidByFirst(checkAgreement(all), process.rank());
}

llvm::Expected<std::unique_ptr<Communicator>> joinMpi(const CommunicatorRequest &request) {
  auto process = makeMpiCommunicator();
  if (process && request.launch && (*process)->size() != request.launch->worldSize) {
    (*process)->abort();
    return problem(
        request.launch->launcher->name,
        llvm::formatv("it started {0} ranks, but MPI sees {1}", request.launch->worldSize, (*process)->size()).str(),
        "use the launcher of the MPI that autotp was built with (srun: --mpi=pmix)");
  }
  if (!process) return process;
  if (llvm::Error error = checkFactsOverMpi(request.facts, **process)) return error;
  return process;
}

llvm::Expected<std::unique_ptr<Communicator>> joinGloo(const CommunicatorRequest &request) {
  return joinOverGloo(*request.launch, request.variable, request.facts, timeoutOf(request));
}

llvm::Expected<std::vector<std::unique_ptr<Communicator>>> makeLocal(int ranks) {
  return makeLocalCommunicators(ranks);
}

constexpr CommunicatorRow kRows[] = {
    {"nccl", "each rank has a GPU of its own; under a launcher, each process is one rank", whyNotNccl, joinNccl,
     makeNcclCommunicators},
    {"shm", "each process is one rank on the host, all on one host, under any launcher", whyNotShm, joinShm, nullptr},
    {"mpi", "each process is one rank on the host, under mpirun, mpiexec or srun", whyNotMpi, joinMpi, nullptr},
    {"gloo", "each process is one rank on the host, on hosts that a network joins, under any launcher", whyNotGloo,
     joinGloo, nullptr},
    {"local", "all ranks are threads of this process, on the host or on GPUs", whyNotLocal, nullptr, makeLocal},
};

} // namespace

llvm::ArrayRef<CommunicatorRow> communicators() { return kRows; }

std::string communicatorNames() {
  std::string names;
  for (const CommunicatorRow &row : kRows)
    (names += names.empty() ? "" : ", ") += row.name;
  return names;
}

const CommunicatorRow *communicatorNamed(llvm::StringRef name) {
  const CommunicatorRow *row = llvm::find_if(kRows, [&](const CommunicatorRow &row) { return name == row.name; });
  return row == std::end(kRows) ? nullptr : row;
}

llvm::Expected<const CommunicatorRow *> chooseCommunicator(const CommunicatorRequest &request) {
  llvm::ArrayRef<CommunicatorRow> candidates = kRows;
  if (!request.named.empty()) {
    const CommunicatorRow *named = communicatorNamed(request.named);
    if (!named) return problem("--comm", "'" + escaped(request.named) + "' is not one of " + communicatorNames());
    candidates = *named;
  }
  std::string reasons;
  for (const CommunicatorRow &row : candidates) {
    const std::string why = row.whyNot(request);
    if (why.empty()) return &row;
    (reasons += reasons.empty() ? "" : "; ") += row.name + (": " + why);
  }
  return problem("--comm", "no communicator serves: " + reasons,
                 request.named.empty() ? "start with a launcher that one of them serves, or without one"
                                       : "leave --comm out, or name another of " + communicatorNames());
}

} // namespace autotp
