#include "runtime/base/error.h"
#include "runtime/comm/launch/socket.h"
#include "runtime/comm/launch/store.h"

#include <mutex>

namespace autotp {
namespace {

using namespace std::chrono_literals;
constexpr auto kAnswerLimit = 10s;

template <typename T> void append(std::string &bytes, T value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
}
void append(std::string &bytes, llvm::StringRef text) {
  append(bytes, uint64_t(text.size()));
  bytes.append(text.data(), text.size());
}

class StoreClient : public IdExchange {
public:
  StoreClient(Socket socket, std::string where, std::string prefix)
      : socket_(std::move(socket)), where_(std::move(where)), prefix_(std::move(prefix)) {}

  ~StoreClient() override {
    if (socket_.descriptor() >= 0) llvm::consumeError(set(kLeftKey, "")); // if the store is gone, no one waits for it
  }

  llvm::Error open() {
    std::string hello;
    append(hello, uint8_t(0));
    append(hello, kStoreMagic);
    return socket_.send(hello, kAnswerLimit) ? llvm::Error::success() : lost("takes nothing");
  }

  llvm::Error set(llvm::StringRef key, llvm::StringRef bytes) override {
    std::string asked;
    append(asked, uint8_t(1));
    append(asked, llvm::StringRef(prefix_ + key.str()));
    append(asked, bytes);
    std::lock_guard lock(mutex_);
    return socket_.send(asked, kAnswerLimit) ? llvm::Error::success() : lost("takes nothing");
  }

  llvm::Expected<std::optional<std::string>> look(llvm::StringRef key) override {
    const std::string full = prefix_ + key.str();
    std::string check, get;
    append(check, uint8_t(5));
    append(check, uint64_t(1));
    append(check, llvm::StringRef(full));
    append(get, uint8_t(3));
    append(get, llvm::StringRef(full));
    uint8_t isAbsent = 0;
    uint64_t bytes = 0;
    std::lock_guard lock(mutex_);
    if (!socket_.send(check, kAnswerLimit) || !socket_.receive(&isAbsent, sizeof isAbsent, kAnswerLimit))
      return lost("does not answer");
    if (isAbsent > 1) return lost("answers something else than a store does");
    if (isAbsent) return std::optional<std::string>();
    if (!socket_.send(get, kAnswerLimit) || !socket_.receive(&bytes, sizeof bytes, kAnswerLimit))
      return lost("does not answer");
    if (bytes > kLargestStoreString) return lost(llvm::formatv("answers with {0} bytes", bytes).str());
    std::string value(size_t(bytes), '\0');
    if (!socket_.receive(value.data(), value.size(), kAnswerLimit)) return lost("ends in the middle of an answer");
    return std::optional<std::string>(std::move(value));
  }

private:
  llvm::Error lost(llvm::StringRef what) {
    socket_ = Socket();
    return problem(where_, what, "see whether rank 0, or torchrun, has ended, and what it says");
  }
  std::mutex mutex_; // of the connection, so that a question and its answer stay together
  Socket socket_;
  std::string where_, prefix_;
};

} // namespace

llvm::Expected<std::unique_ptr<IdExchange>> connectToStore(const std::string &host, uint16_t port, std::string prefix,
                                                           std::chrono::milliseconds limit) {
  auto socket = connectTo(host, port, limit);
  if (!socket) return socket.takeError();
  auto client = std::make_unique<StoreClient>(
      std::move(*socket), llvm::formatv("store at {0}:{1}", escaped(host), port).str(), std::move(prefix));
  if (llvm::Error error = client->open()) return error;
  return client;
}

} // namespace autotp
