#include "runtime/base/error.h"
#include "runtime/comm/launch/socket.h"
#include "runtime/comm/launch/store.h"

#include <atomic>
#include <cstring>
#include <map>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace autotp {
namespace {

using namespace std::chrono_literals;

/// Reads the received part of a question. `isWhole` becomes false if a part is missing.
struct Reader {
  llvm::StringRef rest;
  bool isWhole = true, isSane = true;

  template <typename T> T number() {
    T value{};
    if (!isWhole || rest.size() < sizeof value) return isWhole = false, value;
    std::memcpy(&value, rest.data(), sizeof value);
    rest = rest.drop_front(sizeof value);
    return value;
  }
  llvm::StringRef text() {
    uint64_t bytes = number<uint64_t>();
    if (bytes > kLargestStoreString) isSane = false;
    if (!isWhole || !isSane || rest.size() < bytes) return isWhole = false, "";
    llvm::StringRef text = rest.take_front(size_t(bytes));
    rest = rest.drop_front(size_t(bytes));
    return text;
  }
};

struct Client {
  Socket socket;
  std::string unread;
  bool isRank = false, hasLeft = false;
};

class Server : public StoreServer {
public:
  Server(Socket listening, std::chrono::milliseconds linger, std::string prefix)
      : listening_(std::move(listening)), linger_(linger), prefix_(std::move(prefix)), thread_([this] { run(); }) {}
  ~Server() override {
    stops_ = true;
    thread_.join();
  }
  uint16_t port() const override { return portOf(listening_); }

private:
  void run() {
    std::optional<std::chrono::steady_clock::time_point> end;
    while (true) {
      if (stops_ && !end) end = std::chrono::steady_clock::now() + linger_;
      if (end && (clients_.empty() || std::chrono::steady_clock::now() >= *end)) return;
      std::vector<pollfd> asked = {{listening_.descriptor(), POLLIN, 0}};
      for (const Client &client : clients_)
        asked.push_back({client.socket.descriptor(), POLLIN, 0});
      if (::poll(asked.data(), asked.size(), 50) <= 0) continue;
      for (size_t i = clients_.size(); i-- > 0;) // from the end, since forget() removes one
        if (asked[i + 1].revents && !serve(clients_[i])) forget(i);
      if (!asked[0].revents) continue;
      int descriptor = ::accept4(listening_.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor >= 0)
        clients_.push_back({Socket(descriptor), {}});
      else
        std::this_thread::sleep_for(
            std::chrono::milliseconds(50)); // no descriptor is left: poll() would return at once
    }
  }

  void forget(size_t client) {
    if (clients_[client].isRank && !clients_[client].hasLeft)
      values_.insert({prefix_ + kFailedKey.str(), kNoWord.str()}); // insert() keeps an earlier failure
    clients_.erase(clients_.begin() + long(client));
  }

  /// Returns false if the client is gone, or asks something that no client of ours does.
  bool serve(Client &client) {
    char bytes[4096];
    ssize_t got = ::recv(client.socket.descriptor(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (got <= 0) return false;
    client.unread.append(bytes, size_t(got));
    while (!client.unread.empty()) {
      Reader reader{client.unread};
      if (!answer(client, reader) || !reader.isSane) return false;
      if (!reader.isWhole) return true;
      client.unread.erase(0, client.unread.size() - reader.rest.size());
    }
    return true;
  }

  /// Answers one question. If it is not whole yet, nothing is done and it is asked again with more bytes.
  bool answer(Client &client, Reader &reader) {
    Socket &socket = client.socket;
    switch (reader.number<uint8_t>()) {
    case 0: {
      uint32_t magic = reader.number<uint32_t>();
      return !reader.isWhole || magic == kStoreMagic;
    }
    case 1: {
      llvm::StringRef key = reader.text(), value = reader.text();
      if (!reader.isWhole) return true;
      values_[key.str()] = value.str();
      client.isRank = client.isRank || (!prefix_.empty() && key.startswith(prefix_));
      client.hasLeft = client.hasLeft || (client.isRank && key.drop_front(prefix_.size()) == kLeftKey);
      return true;
    }
    case 3: {
      auto at = values_.find(reader.text().str());
      if (!reader.isWhole) return true;
      if (at == values_.end()) return false;
      uint64_t size = at->second.size();
      return socket.send({reinterpret_cast<const char *>(&size), sizeof size}, 1s) && socket.send(at->second, 1s);
    }
    case 5: {
      if (reader.number<uint64_t>() != 1) return !reader.isWhole;
      bool isThere = values_.count(reader.text().str()) != 0;
      return !reader.isWhole || socket.send(llvm::StringRef(isThere ? "\0" : "\1", 1), 1s);
    }
    default:
      return false;
    }
  }

  Socket listening_;
  const std::chrono::milliseconds linger_;
  const std::string prefix_; ///< the prefix of keys of watched ranks; empty: none is watched
  std::atomic<bool> stops_{false};
  std::vector<Client> clients_; // used by the thread only, like the values
  std::map<std::string, std::string> values_;
  std::thread thread_; // declared last, since it uses the rest
};

} // namespace

llvm::Expected<std::unique_ptr<StoreServer>> serveStore(uint16_t port, std::chrono::milliseconds linger,
                                                        std::string prefix) {
  auto listening = listenOn(port);
  if (!listening) return listening.takeError();
  return std::make_unique<Server>(std::move(*listening), linger, std::move(prefix));
}

} // namespace autotp
