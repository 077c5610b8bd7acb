#include "runtime/comm/launch/meet.h"

#include "runtime/base/error.h"
#include "runtime/comm/launch/store.h"
#include "runtime/comm/mpi/broadcast.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <thread>
#include <unistd.h>

namespace autotp {
namespace {

using namespace std::chrono_literals;

std::string hostName() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1)) return "";
  return name;
}

/// Rank 0's client of the store that it serves. The client is destroyed first, since the server waits until all have
/// left.
class OwnStore : public IdExchange {
public:
  OwnStore(std::unique_ptr<StoreServer> server, std::unique_ptr<IdExchange> client)
      : server_(std::move(server)), client_(std::move(client)) {}
  llvm::Error set(llvm::StringRef key, llvm::StringRef bytes) override { return client_->set(key, bytes); }
  llvm::Expected<std::optional<std::string>> look(llvm::StringRef key) override { return client_->look(key); }

private:
  std::unique_ptr<StoreServer> server_;
  std::unique_ptr<IdExchange> client_;
};

/// Learns from MPI where rank 0 listens.
llvm::Error askMpi(const Launch &launch, MeetingPoint &point) {
  std::string own = launch.rank == 0 ? llvm::formatv("{0} {1}", hostName(), point.port).str() : "";
  auto told = broadcastOverMpi(own, launch.worldSize);
  if (!told) return told.takeError();
  auto [host, port] = llvm::StringRef(*told).rsplit(' ');
  if (port.getAsInteger(10, point.port) || host.empty())
    return problem("MPI", "rank 0's address '" + escaped(*told) + "' is none",
                   "set MASTER_ADDR and MASTER_PORT on all ranks");
  point.host = host.str();
  return llvm::Error::success();
}

std::string keyOf(int64_t rank) { return "line/" + std::to_string(rank); }

/// Rank 0 joins the lines, so that each other rank asks for one value only; an empty value stands for an error of rank
/// 0.
llvm::Expected<std::vector<std::string>> collectLines(IdExchange &exchange, int64_t ranks, const std::string &own,
                                                      std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  std::vector<std::string> lines = {own};
  std::string missing;
  for (int64_t rank = 1; rank < ranks; ++rank) {
    std::optional<std::string> line;
    while (true) {
      auto seen = exchange.look(keyOf(rank));
      if (!seen) return seen.takeError();
      line = std::move(*seen);
      if (line || std::chrono::steady_clock::now() >= end) break;
      std::this_thread::sleep_for(2ms);
    }
    if (line)
      lines.push_back(std::move(*line));
    else
      missing += (missing.empty() ? "" : ", ") + std::to_string(rank);
  }
  const std::string all = missing.empty() ? llvm::join(lines, "\n") : "";
  if (llvm::Error error = exchange.set("lines", all)) return error;
  if (missing.empty()) return lines;
  return problem(
      "meeting of ranks",
      llvm::formatv("of {0} ranks these have not come within {1} ms: {2}", ranks, limit.count(), missing).str(),
      "see whether they were started, what they say, and whether they reach rank 0's host");
}

llvm::Expected<std::vector<std::string>> exchangeLines(IdExchange &exchange, const Launch &launch,
                                                       const std::string &own, std::chrono::milliseconds limit) {
  if (launch.rank == 0) return collectLines(exchange, launch.worldSize, own, limit);
  if (llvm::Error error = exchange.set(keyOf(launch.rank), own)) return error;
  auto all = exchange.get("lines", limit);
  if (!all) return all.takeError();
  if (all->empty()) return llvm::make_error<SaidElsewhere>();
  llvm::SmallVector<llvm::StringRef, 0> lines;
  llvm::StringRef(*all).split(lines, '\n');
  if (int64_t(lines.size()) == launch.worldSize) return std::vector<std::string>(lines.begin(), lines.end());
  return problem("meeting of ranks",
                 llvm::formatv("rank 0 sees {0} ranks, and this one {1}", lines.size(), launch.worldSize).str(),
                 "start all ranks with one launcher");
}

} // namespace

std::string hostIdentity() {
  auto boot = llvm::MemoryBuffer::getFileAsStream("/proc/sys/kernel/random/boot_id");
  std::string identity = hostName() + "/" + (boot ? (*boot)->getBuffer().trim().str() : "");
  std::replace_if(
      identity.begin(), identity.end(), [](char c) { return c <= ' '; }, '_');
  return identity;
}

llvm::Expected<Meeting> meet(const Launch &launch, MeetingPoint point, const std::string &line,
                             const MeetingLimits &limits) {
  std::unique_ptr<StoreServer> server;
  if (launch.rank == 0 && !point.isLaunchers) {
    auto served = serveStore(point.port, limits.linger, point.prefix);
    if (!served) return served.takeError();
    server = std::move(*served);
    point.port = server->port();
  }
  if (point.host.empty())
    if (llvm::Error error = askMpi(launch, point)) return error;
  if (server || (!point.isLaunchers && point.host == hostName())) point.host = "127.0.0.1"; // needs no name service
  auto client = connectToStore(point.host, point.port, point.prefix, limits.connect);
  if (!client) return client.takeError();
  Meeting meeting{std::move(*client), {}};
  if (server) meeting.exchange = std::make_unique<OwnStore>(std::move(server), std::move(meeting.exchange));
  auto lines = exchangeLines(*meeting.exchange, launch, line, limits.all);
  if (!lines) return lines.takeError();
  meeting.lines = std::move(*lines);
  return meeting;
}

} // namespace autotp
