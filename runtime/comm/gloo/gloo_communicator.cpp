#include "runtime/comm/gloo/gloo_communicator.h"

#include "runtime/base/error.h"
#include "runtime/comm/gloo/gloo_group.h"
#include "runtime/comm/launch/meet.h"
#include "runtime/comm/launch/socket.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <gloo/barrier.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/store.h>
#include <gloo/transport/tcp/device.h>

#include <map>
#include <numeric>
#include <stdexcept>

namespace autotp {
namespace {

using namespace std::chrono_literals;
constexpr auto kConnectLimit = 60s;
constexpr auto kLinger = 2s; ///< a host whose network is cut does not leave

/// The store in which the ranks have met, as gloo asks for one.
class GlooStore : public gloo::rendezvous::Store {
public:
  GlooStore(IdExchange &exchange, std::string prefix) : exchange_(exchange), prefix_(std::move(prefix)) {}
  void set(const std::string &key, const std::vector<char> &data) override {
    orThrow(exchange_.set(prefix_ + key, {data.data(), data.size()}));
  }
  std::vector<char> get(const std::string &key) override {
    auto value = exchange_.get(prefix_ + key, kConnectLimit);
    if (!value) orThrow(value.takeError());
    return std::vector<char>(value->begin(), value->end());
  }
  void wait(const std::vector<std::string> &keys) override { wait(keys, kConnectLimit); }
  void wait(const std::vector<std::string> &keys, const std::chrono::milliseconds &) override {
    for (const std::string &key : keys)
      (void)get(key);
  }

private:
  static void orThrow(llvm::Error error) { // gloo knows no other way, and callGloo() catches it
    if (error) throw std::runtime_error(llvm::toString(std::move(error)));
  }
  IdExchange &exchange_;
  std::string prefix_;
};

class GlooCommunicator : public Communicator {
public:
  GlooCommunicator(const Launch &launch, std::vector<std::string> hosts, std::unique_ptr<IdExchange> exchange,
                   std::chrono::milliseconds awaited)
      : rank_(int(launch.rank)), hosts_(std::move(hosts)), awaited_(awaited), exchange_(std::move(exchange)) {}

  /// Connects all ranks. `address` is where this one listens.
  llvm::Error open(const std::string &address) {
    const bool isOpen = callGloo(
        failure_, [&] { network_ = gloo::transport::tcp::CreateDevice(gloo::transport::tcp::attr(address.c_str())); });
    if (!isOpen) return problem("--comm gloo", "it cannot listen at " + escaped(address) + ": " + failure_);
    std::vector<int> all(hosts_.size());
    std::iota(all.begin(), all.end(), 0);
    auto world = connect(all);
    if (!world) return world.takeError();
    world_ = std::move(*world);
    return llvm::Error::success();
  }

  int rank() const override { return rank_; }
  int size() const override { return int(hosts_.size()); }
  int ranksOnHost() const override { return int(llvm::count(hosts_, hosts_[size_t(rank_)])); }
  int rankOnHost() const override {
    return int(std::count(hosts_.begin(), hosts_.begin() + rank_, hosts_[size_t(rank_)]));
  }
  llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) override {
    if (device.nativeStream(Stream::Communication))
      return problem("--comm gloo", "it reaches the host's memory only, and the plan is for a GPU", "take --comm nccl");
    auto context = connect(ranks);
    if (!context) return context.takeError();
    const size_t member = size_t(llvm::find(ranks, rank_) - ranks.begin());
    return std::make_unique<GlooGroup>(std::move(*context), ranks.size(), member, device, failure_);
  }
  bool barrier() override {
    return callGloo(failure_, [&] {
      gloo::BarrierOptions options(world_);
      gloo::barrier(options);
    });
  }
  /// Others see their connections close.
  void abort() override {
    if (failure_.empty()) llvm::consumeError(exchange_->set(kFailedKey, std::to_string(rank_)));
    for (const auto &context : contexts_)
      (void)callGloo(failure_, [&] { context->closeConnections(); });
  }
  std::string failure() const override {
    return failure_.empty() || isOwn() ? "" : "a rank has ended, or does not answer: " + failure_;
  }
  /// A rank that fails by itself says so in the store before it closes its connections.
  bool isSaidElsewhere() const override {
    auto sayer = exchange_->look(kFailedKey);
    if (!sayer) return llvm::consumeError(sayer.takeError()), false;
    return *sayer && **sayer != kNoWord && **sayer != std::to_string(rank_);
  }

private:
  bool isOwn() const {
    auto sayer = exchange_->look(kFailedKey);
    if (!sayer) return llvm::consumeError(sayer.takeError()), false;
    return *sayer && **sayer == std::to_string(rank_);
  }

  llvm::Expected<std::shared_ptr<gloo::Context>> connect(const std::vector<int> &ranks) {
    std::string names;
    for (int rank : ranks)
      names += std::to_string(rank) + ",";
    GlooStore store(*exchange_, llvm::formatv("gloo/{0}/{1}/", names, joined_[names]++).str());
    const int member = int(llvm::find(ranks, rank_) - ranks.begin());
    auto context = std::make_shared<gloo::rendezvous::Context>(member, int(ranks.size()));
    const bool isConnected = callGloo(failure_, [&] {
      context->setTimeout(kConnectLimit);
      context->connectFullMesh(store, network_);
      context->setTimeout(awaited_.count() > 0 ? awaited_ : std::chrono::hours(24 * 365));
    });
    if (!isConnected)
      return problem("--comm gloo", "not all ranks can be reached: " + failure_,
                     "see that hosts reach each other at the addresses from which they reach MASTER_ADDR");
    contexts_.push_back(context);
    return std::shared_ptr<gloo::Context>(context);
  }

  int rank_;
  std::vector<std::string> hosts_; ///< of each rank
  std::chrono::milliseconds awaited_;
  std::string failure_; ///< the first that gloo has reported
  std::unique_ptr<IdExchange> exchange_;
  std::shared_ptr<gloo::transport::Device> network_;
  std::map<std::string, int> joined_; ///< how often this rank has joined these ranks
  std::vector<std::shared_ptr<gloo::Context>> contexts_;
  std::shared_ptr<gloo::Context> world_;
};

} // namespace

bool hasGloo() { return true; }

llvm::Expected<std::unique_ptr<Communicator>> joinOverGloo(const Launch &launch, Variable variable,
                                                           const RankFacts &facts, std::chrono::milliseconds awaited) {
  auto point = findMeetingPoint(launch, variable);
  if (!point) return point.takeError();
  if (point->host.empty())
    return problem("--comm gloo", "MASTER_ADDR and MASTER_PORT are not set",
                   "set them on all ranks to rank 0's host and to a free port there");
  auto address = addressTowards(point->host, point->port);
  if (!address) return address.takeError();
  MeetingLimits limits;
  limits.linger = kLinger;
  auto meeting =
      meet(launch, *point, saidLine(llvm::json::Object{{"host", hostIdentity()}, {"facts", toJson(facts)}}), limits);
  if (!meeting) return meeting.takeError();
  std::vector<std::string> hosts(meeting->lines.size());
  std::vector<RankFacts> all(meeting->lines.size());
  for (size_t r = 0; r < all.size(); ++r)
    if (llvm::Error error = readSaid(meeting->lines[r], [&](llvm::json::ObjectMapper &map) {
          return map.map("host", hosts[r]) && map.map("facts", all[r]);
        }))
      return error;
  if (llvm::Error error = saidByFirst(checkAgreement(all), launch.rank)) return error;
  auto joined = std::make_unique<GlooCommunicator>(launch, std::move(hosts), std::move(meeting->exchange), awaited);
  if (llvm::Error error = joined->open(*address)) return error;
  return joined;
}

} // namespace autotp
