#include "runtime/comm/nccl/nccl_communicator.h"

#include "runtime/base/error.h"
#include "runtime/comm/nccl/nccl_group.h"
#include "runtime/device/cuda/device.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace autotp {
namespace {

using namespace nccl;
using namespace std::chrono_literals;

constexpr auto kMeetingLimit = 300s; ///< for the ranks of a group, some of which may still read their weights

llvm::Error tooFewGpus(int gpus, int ranks) {
  return problem("--comm nccl", llvm::formatv("{0} ranks need a GPU each, and {1} are seen", ranks, gpus).str(),
                 "start fewer ranks on this host, or take --comm local for ranks that share a GPU");
}

class NcclCommunicator : public Communicator {
public:
  NcclCommunicator(std::shared_ptr<IdExchange> exchange, std::shared_ptr<FailureWatch> watch, int rank, int size,
                   int rankOnHost, int ranksOnHost)
      : exchange_(std::move(exchange)), watch_(std::move(watch)), rank_(rank), size_(size), rankOnHost_(rankOnHost),
        ranksOnHost_(ranksOnHost) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int ranksOnHost() const override { return ranksOnHost_; }
  int rankOnHost() const override { return rankOnHost_; }
  llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) override;
  bool barrier() override;
  void abort() override { watch_->fail(llvm::formatv("rank {0} has failed", rank_).str()); }
  bool hasFailed() const override { return watch_->hasFailed(); }
  std::string failure() const override { return watch_->failure(); }
  bool isSaidElsewhere() const override { return watch_->isOfAnotherProcess(); }

private:
  /// The id of a group, which its first member makes.
  llvm::Expected<ncclUniqueId> agreeOnId(const std::vector<int> &ranks);
  bool awaitCount(const std::string &key, uint64_t count);
  bool setCount(const std::string &key, uint64_t count);

  std::shared_ptr<IdExchange> exchange_;
  std::shared_ptr<FailureWatch> watch_;
  int rank_, size_, rankOnHost_, ranksOnHost_;
  std::map<std::vector<int>, int> asked_; ///< how often each group was asked for, which is the same on all its members
  uint64_t barriers_ = 0;
};

llvm::Expected<ncclUniqueId> NcclCommunicator::agreeOnId(const std::vector<int> &ranks) {
  std::string key = llvm::formatv("group/{0}/{1:$[,]}", asked_[ranks]++, llvm::make_range(ranks.begin(), ranks.end()));
  ncclUniqueId id;
  if (ranks.front() == rank_) {
    if (ncclResult_t result = ncclGetUniqueId(&id); result != ncclSuccess)
      return problem("--comm nccl", "NCCL does not start: " + textOf(result), "run again with NCCL_DEBUG=INFO");
    if (llvm::Error error = exchange_->set(key, llvm::StringRef(id.internal, sizeof id.internal))) return error;
    return id;
  }
  auto bytes = exchange_->get(key, kMeetingLimit, [&] { return watch_->hasFailed(); });
  if (!bytes) return bytes.takeError();
  if (bytes->size() != sizeof id.internal)
    return problem("--comm nccl", llvm::formatv("a group's id has {0} bytes, not {1}", bytes->size(), sizeof id).str(),
                   "start all ranks with the same build of NCCL");
  std::memcpy(id.internal, bytes->data(), sizeof id.internal);
  return id;
}

/// Non-blocking, so that a member that never comes does not hold the others for ever.
llvm::Expected<ncclComm_t> joinGroup(const ncclUniqueId &id, size_t members, size_t member, const FailureWatch &watch) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  ncclComm_t comm = nullptr;
  ncclResult_t result = ncclCommInitRankConfig(&comm, int(members), id, int(member), &config);
  const auto end = std::chrono::steady_clock::now() + kMeetingLimit;
  while (result == ncclInProgress && !watch.hasFailed() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
    if (ncclResult_t asked = ncclCommGetAsyncError(comm, &result); asked != ncclSuccess) result = asked;
  }
  if (result == ncclSuccess) return comm;
  std::string text = textOf(result);
  if (comm) (void)ncclCommAbort(comm);
  if (watch.hasFailed()) return problem("--comm nccl", watch.failure());
  if (result == ncclInvalidUsage)
    return problem("--comm nccl", "NCCL refuses a group, as it does where two ranks are on one GPU: " + text,
                   "give each rank a GPU of its own, or take --comm local for ranks that share one");
  if (result == ncclInProgress)
    return problem("--comm nccl",
                   llvm::formatv("not all ranks of a group come within {0} s", kMeetingLimit.count()).str(),
                   "see what the other ranks say");
  return problem("--comm nccl", "a group of ranks cannot be made: " + text, "run again with NCCL_DEBUG=INFO");
}

llvm::Expected<std::unique_ptr<Group>> NcclCommunicator::group(const std::vector<int> &ranks, Device &device) {
  auto stream = static_cast<cudaStream_t>(device.nativeStream(Stream::Communication));
  if (!stream)
    return problem("--comm nccl", "it reaches GPUs' memory only, and the plan is for the host",
                   "take --comm local or mpi, or compile the plan for cuda");
  auto id = agreeOnId(ranks);
  if (!id) return id.takeError();
  size_t member = size_t(std::find(ranks.begin(), ranks.end(), rank_) - ranks.begin());
  auto handle = joinGroup(*id, ranks.size(), member, *watch_);
  if (!handle) return handle.takeError();
  auto comm = std::make_shared<Comm>(*handle);
  watch_->add(comm);
  return std::make_unique<NcclGroup>(watch_, comm, stream, ranks.size(), member);
}

bool NcclCommunicator::setCount(const std::string &key, uint64_t count) {
  llvm::Error error = exchange_->set(key, std::to_string(count));
  if (!error) return true;
  watch_->fail("the ranks' store does not answer: " + llvm::toString(std::move(error)));
  return false;
}

/// Waits until the key's count is at least `count`. There is no limit, since another rank may be writing a checkpoint.
bool NcclCommunicator::awaitCount(const std::string &key, uint64_t count) {
  std::chrono::microseconds pause = 100us;
  while (!watch_->hasFailed()) {
    auto value = exchange_->look(key);
    if (!value) {
      watch_->fail("the ranks' store does not answer: " + llvm::toString(value.takeError()));
      return false;
    }
    uint64_t reached = 0;
    if (*value && !llvm::StringRef(**value).getAsInteger(10, reached) && reached >= count) return true;
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::microseconds>(pause * 2, 50ms);
  }
  return false;
}

/// Each rank counts its barriers under its own key; rank 0 waits for all of them, and then opens the barrier.
bool NcclCommunicator::barrier() {
  ++barriers_;
  if (rank_ != 0)
    return setCount(llvm::formatv("barrier/{0}", rank_).str(), barriers_) && awaitCount("barrier/open", barriers_);
  for (int rank = 1; rank < size_; ++rank)
    if (!awaitCount(llvm::formatv("barrier/{0}", rank).str(), barriers_)) return false;
  return !watch_->hasFailed() && setCount("barrier/open", barriers_);
}

} // namespace

bool hasNccl() { return true; }

llvm::Expected<std::vector<std::unique_ptr<Communicator>>> makeNcclCommunicators(int size) {
  if (int gpus = countGpus(); gpus < size) return tooFewGpus(gpus, size);
  std::shared_ptr<IdExchange> exchange = makeLocalExchange();
  auto watch = std::make_shared<FailureWatch>(exchange);
  std::vector<std::unique_ptr<Communicator>> all;
  all.reserve(size_t(size));
  for (int rank = 0; rank < size; ++rank)
    all.push_back(std::make_unique<NcclCommunicator>(exchange, watch, rank, size, rank, size));
  return all;
}

llvm::Expected<std::unique_ptr<Communicator>> makeNcclCommunicator(int rank, int size, int rankOnHost, int ranksOnHost,
                                                                   std::unique_ptr<IdExchange> exchange) {
  // A launcher may show each rank only its own GPU. If several ranks then see the same one, NCCL refuses their group.
  if (int gpus = countGpus(); gpus == 0 || (gpus > 1 && rankOnHost >= gpus)) return tooFewGpus(gpus, ranksOnHost);
  std::shared_ptr<IdExchange> shared = std::move(exchange);
  auto watch = std::make_shared<FailureWatch>(shared);
  return std::make_unique<NcclCommunicator>(shared, watch, rank, size, rankOnHost, ranksOnHost);
}

} // namespace autotp
