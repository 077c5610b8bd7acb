#include "runtime/comm/shm/shm_communicator.h"

#include "runtime/base/error.h"
#include "runtime/comm/launch/error_file.h"
#include "runtime/comm/launch/meet.h"
#include "runtime/comm/shm/segment.h"
#include "runtime/comm/shm/staged_group.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <bitset>
#include <sched.h>
#include <unistd.h>

namespace autotp {
namespace {

/// A part of an operand that is copied at once: small enough for the caches, and large enough that waiting for the others
/// is little beside it.
constexpr size_t kStageBytes = size_t(1) << 20;
constexpr size_t kPage = 4096;
constexpr size_t inPages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

/// The shared memory: the world, the board, and a stage for each rank.
struct Layout {
  explicit Layout(int size)
      : board(inPages(World::bytesFor(size))), stages(board + inPages(RankBoard::bytesFor(size))),
        bytes(stages + size_t(size) * kStageBytes) {}
  size_t board, stages, bytes;
};

using Cores = std::bitset<CPU_SETSIZE>;

/// The cores that this process may run on. Launchers bind each rank to some.
Cores ownCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  (void)::sched_getaffinity(0, sizeof set, &set);
  Cores cores;
  for (size_t c = 0; c < cores.size(); ++c)
    cores[c] = CPU_ISSET(c, &set);
  return cores;
}

/// What a rank says of itself when all meet.
struct Presence {
  std::string host; ///< as hostIdentity() names it
  std::string cores;
  SegmentPlace segment; ///< its process; and where the shared memory is, of rank 0
  RankFacts facts;

  std::string text() const {
    return saidLine(llvm::json::Object{{"host", host},
                                       {"cores", cores},
                                       {"process", segment.process},
                                       {"descriptor", segment.descriptor},
                                       {"token", segment.token},
                                       {"facts", toJson(facts)}});
  }

  static llvm::Expected<Presence> read(llvm::StringRef line) {
    Presence p;
    llvm::Error error = readSaid(line, [&](llvm::json::ObjectMapper &map) {
      return map.map("host", p.host) && map.map("cores", p.cores) && map.map("process", p.segment.process) &&
             map.map("descriptor", p.segment.descriptor) && map.map("token", p.segment.token) &&
             map.map("facts", p.facts) && isMask(p.cores);
    });
    if (error) return error;
    return p;
  }

private:
  static bool isMask(llvm::StringRef text) {
    return text.size() == CPU_SETSIZE && text.find_first_not_of("01") == llvm::StringRef::npos;
  }
};

llvm::Expected<std::vector<Presence>> readAll(const std::vector<std::string> &lines) {
  std::vector<Presence> all;
  for (const std::string &line : lines) {
    auto presence = Presence::read(line);
    if (!presence) return presence.takeError();
    all.push_back(std::move(*presence));
  }
  return all;
}

llvm::Error checkHosts(const std::vector<Presence> &all) {
  for (size_t r = 1; r < all.size(); ++r) {
    if (all[r].host == all[0].host) continue;
    return problem("--comm shm",
                   llvm::formatv("rank {0} is on {1}, and rank 0 on {2}: they share no memory", r, escaped(all[r].host),
                                 escaped(all[0].host))
                       .str(),
                   "start all ranks on one host and in one container, or take --comm mpi");
  }
  return llvm::Error::success();
}

llvm::Error checkTogether(const std::vector<Presence> &all, const Launch &launch) {
  std::vector<RankFacts> facts;
  facts.reserve(all.size());
  for (const Presence &presence : all)
    facts.push_back(presence.facts);
  return saidByFirst(llvm::joinErrors(checkHosts(all), checkAgreement(facts)), launch.rank);
}

/// Says what has failed, unless another rank does, and ends the process: its thread does not come to an end by itself.
void endProcess(const std::string &failure, const std::string &errorFile) {
  if (!failure.empty()) {
    const std::string text = describe(problem("", failure));
    writeErrorFile(errorFile, text);
    llvm::errs() << text << "\n";
  }
  ::_exit(1);
}

class ShmCommunicator : public Communicator {
public:
  ShmCommunicator(const Segment &segment, const Launch &launch, const std::vector<Presence> &all, bool maySpin,
                  const WatchLimits &limits, std::string errorFile)
      : memory_(segment.memory()), layout_(int(launch.worldSize)),
        world_(memory_, int(launch.worldSize), World::Ranks::Processes, maySpin),
        board_(memory_.get() + layout_.board, int(launch.worldSize), int(launch.rank),
               llvm::StringRef(all[0].host).split('/').first.str()) {
    world_.countWaitsIn(board_.ownEntry().waits);
    for (int r = 0; r < size(); ++r) // each for all, so that one is missed that ends before it comes so far
      board_.entry(r).process = all[size_t(r)].segment.process;
    watch_ =
        std::make_unique<RankWatch>(world_, board_, limits, [file = std::move(errorFile)](const std::string &failure) {
          endProcess(failure, file);
        });
  }

  int rank() const override { return board_.own(); }
  int size() const override { return world_.size(); }
  int ranksOnHost() const override { return world_.size(); }
  int rankOnHost() const override { return rank(); }
  llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) override {
    if (device.nativeStream(Stream::Communication))
      return problem("--comm shm", "it reaches the host's memory only, and the plan is for a GPU", "take --comm nccl");
    auto inner = PeerGroup::join(world_, ranks, rank(), device);
    if (!inner) return inner.takeError();
    std::byte *stage = memory_.get() + layout_.stages + size_t(rank()) * kStageBytes;
    return std::make_unique<StagedGroup>(std::move(*inner), std::span(stage, kStageBytes));
  }
  bool barrier() override { return world_.waitForAll(); }
  void note(Activity activity, int64_t step) override {
    board_.ownEntry().activity = uint32_t(activity);
    board_.ownEntry().step = step;
  }
  void abort() override {
    if (board_.claim()) watch_->letEnd(); // if it is another's, this one's error is a consequence
    world_.fail();
  }
  bool hasFailed() const override { return world_.hasFailed(); }
  std::string failure() const override { return watch_->failure(); }
  bool hasEnded(int rank) const override { return watch_->hasEnded(rank); }
  bool isSaidElsewhere() const override { return board_.sayer() >= 0 && board_.sayer() != rank(); }

private:
  std::shared_ptr<std::byte> memory_;
  Layout layout_;
  World world_;
  RankBoard board_;
  std::unique_ptr<RankWatch> watch_; // declared last, since it uses the rest
};

} // namespace

llvm::Expected<std::unique_ptr<Communicator>> joinOverSharedMemory(const Launch &launch, Variable variable,
                                                                   const RankFacts &facts, const WatchLimits &limits) {
  const size_t bytes = Layout(int(launch.worldSize)).bytes;
  Segment segment;
  if (launch.rank == 0) {
    auto made = Segment::make(bytes);
    if (!made) return made.takeError();
    segment = std::move(*made);
  }
  auto point = findMeetingPoint(launch, variable);
  if (!point) return point.takeError();
  auto meeting = meet(launch, *point, Presence{hostIdentity(), ownCores().to_string(), segment.place(), facts}.text());
  if (!meeting) return meeting.takeError();
  auto all = readAll(meeting->lines);
  if (!all) return all.takeError();
  if (llvm::Error error = checkTogether(*all, launch)) return error;
  if (launch.rank != 0) {
    auto opened = Segment::open((*all)[0].segment, bytes);
    if (!opened) return opened.takeError();
    segment = std::move(*opened);
  }
  Cores cores;
  for (const Presence &presence : *all)
    cores |= Cores(presence.cores);
  auto joined = std::make_unique<ShmCommunicator>(segment, launch, *all, cores.count() >= all->size(), limits,
                                                  errorFileOf(variable));
  if (!joined->barrier()) { // after which rank 0 need not hold the memory open for the others
    if (joined->isSaidElsewhere()) return llvm::make_error<SaidElsewhere>();
    return problem("", joined->failure());
  }
  return joined;
}

} // namespace autotp
