#include "runtime/comm/launch/id_exchange.h"

#include "runtime/base/error.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>

namespace autotp {
namespace {

class LocalExchange : public IdExchange {
public:
  llvm::Error set(llvm::StringRef key, llvm::StringRef bytes) override {
    std::lock_guard lock(mutex_);
    values_[key.str()] = bytes.str();
    return llvm::Error::success();
  }
  llvm::Expected<std::optional<std::string>> look(llvm::StringRef key) override {
    std::lock_guard lock(mutex_);
    auto at = values_.find(key.str());
    return at == values_.end() ? std::optional<std::string>() : at->second;
  }

private:
  std::mutex mutex_;
  std::map<std::string, std::string> values_;
};

} // namespace

llvm::Expected<std::string> IdExchange::get(llvm::StringRef key, std::chrono::milliseconds limit,
                                            llvm::function_ref<bool()> isStopped) {
  using namespace std::chrono_literals;
  const auto end = std::chrono::steady_clock::now() + limit;
  std::chrono::milliseconds pause = 1ms;
  while (true) {
    auto value = look(key);
    if (!value) return value.takeError();
    if (*value) return std::move(**value);
    if (isStopped()) return problem("rank exchange", "another rank has failed");
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left <= 0ms)
      return problem("rank exchange",
                     llvm::formatv("nobody has set '{0}' within {1} ms", escaped(key), limit.count()).str(),
                     "see whether all ranks were started, and what the others say");
    std::this_thread::sleep_for(std::min(pause, left));
    // First answers come soon, while later polls should not burden a store that serves many ranks.
    pause = std::min(pause * 2, 50ms);
  }
}

std::unique_ptr<IdExchange> makeLocalExchange() { return std::make_unique<LocalExchange>(); }

} // namespace autotp
