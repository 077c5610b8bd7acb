#include "runtime/train/join_over_nccl.h"

#include "runtime/base/error.h"
#include "runtime/comm/launch/meet.h"
#include "runtime/comm/nccl/nccl_communicator.h"
#include "runtime/device/cuda/device.h"

#include "llvm/ADT/STLExtras.h"

#include <map>

namespace autotp {
namespace {

/// What a rank says about itself when all meet, such as "4 host/boot-id 0000:01:00.0 0000:02:00.0".
struct Place {
  int64_t planRanks = 0; ///< number of ranks of its plan
  std::string host;
  std::vector<std::string> gpus; ///< the GPUs that it sees
  int rankOnHost = 0, ranksOnHost = 0;

  const std::string &ownGpu() const { return gpus[size_t(rankOnHost) % gpus.size()]; }
  llvm::StringRef hostName() const { return llvm::StringRef(host).split('/').first; }
};

std::string ownLine(const Manifest &manifest) {
  std::string line = std::to_string(manifest.ranks.size()) + " " + hostIdentity();
  for (int gpu = 0; gpu < countGpus(); ++gpu)
    line.append(" ").append(gpuAddress(gpu));
  return line;
}

llvm::Expected<std::vector<Place>> readPlaces(const std::vector<std::string> &lines) {
  std::vector<Place> places;
  std::map<std::string, int> ranksOn;
  for (const std::string &line : lines) {
    llvm::SmallVector<llvm::StringRef, 16> words;
    llvm::StringRef(line).split(words, ' ');
    Place place;
    if (words.size() < 2 || words[0].getAsInteger(10, place.planRanks))
      return problem("meeting of ranks", "a rank says '" + escaped(line) + "'", "start the same autotp-run everywhere");
    place.host = words[1].str();
    for (llvm::StringRef gpu : llvm::drop_begin(words, 2))
      place.gpus.push_back(gpu.str());
    place.rankOnHost = ranksOn[place.host]++;
    places.push_back(std::move(place));
  }
  for (Place &place : places)
    place.ranksOnHost = ranksOn[place.host];
  return places;
}

/// An error that all ranks find; `sayer` returns it, and the others SaidElsewhere.
llvm::Error saidBy(size_t sayer, const Launch &launch, llvm::StringRef where, const std::string &what,
                   llvm::StringRef remedy) {
  if (int64_t(sayer) == launch.rank) return problem(where, what, remedy);
  return llvm::make_error<SaidElsewhere>();
}

llvm::Error checkPlaces(const std::vector<Place> &places, const Launch &launch, llvm::StringRef plan) {
  for (size_t r = 0; r < places.size(); ++r)
    if (places[r].planRanks != launch.worldSize)
      return saidBy(r, launch, plan,
                    llvm::formatv("it is for {0} ranks, but {1} were started", places[r].planRanks, launch.worldSize),
                    "start as many, or compile for another --tp, --dp");
  std::map<std::pair<std::string, std::string>, size_t> takenBy; // by host and GPU
  for (size_t r = 0; r < places.size(); ++r) {
    const Place &place = places[r];
    const std::string host = escaped(place.hostName());
    if (place.gpus.empty())
      return saidBy(r, launch, llvm::formatv("rank {0} on {1}", r, host).str(), "it sees no GPU",
                    "start it where a GPU is, or compile the plan for cpu");
    auto [other, isFree] = takenBy.insert({{place.host, place.ownGpu()}, r});
    if (!isFree)
      return saidBy(0, launch, "--comm nccl",
                    llvm::formatv("ranks {0} and {1} are both on GPU {2} of {3}, which NCCL refuses", other->second, r,
                                  escaped(place.ownGpu()), host),
                    "start at most one rank a GPU; without a launcher, ranks may share GPUs as threads of one process");
  }
  return llvm::Error::success();
}

} // namespace

llvm::Expected<std::unique_ptr<Communicator>> joinOverNccl(llvm::StringRef plan, const Manifest &manifest,
                                                           const Launch &launch, Variable variable) {
  auto point = findMeetingPoint(launch, variable);
  if (!point) return point.takeError();
  auto meeting = meet(launch, *point, ownLine(manifest));
  if (!meeting) return meeting.takeError();
  auto places = readPlaces(meeting->lines);
  if (!places) return places.takeError();
  if (llvm::Error error = checkPlaces(*places, launch, plan)) return error;
  const Place &own = (*places)[size_t(launch.rank)];
  return makeNcclCommunicator(int(launch.rank), int(launch.worldSize), own.rankOnHost, own.ranksOnHost,
                              std::move(meeting->exchange));
}

} // namespace autotp
