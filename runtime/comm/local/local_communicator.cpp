#include "runtime/comm/shared/peer_group.h"

#include <cstdlib>
#include <thread>

namespace autotp {
namespace {

class LocalCommunicator : public Communicator {
public:
  LocalCommunicator(World world, int rank) : world_(std::move(world)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return world_.size(); }
  int ranksOnHost() const override { return world_.size(); }
  int rankOnHost() const override { return rank_; }
  llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) override {
    return PeerGroup::join(world_, ranks, rank_, device);
  }
  bool barrier() override { return world_.waitForAll(); }
  void abort() override { world_.fail(); }
  bool hasFailed() const override { return world_.hasFailed(); }

private:
  World world_;
  int rank_;
};

} // namespace

std::vector<std::unique_ptr<Communicator>> makeLocalCommunicators(int size) {
  constexpr size_t kAlignment = 64;
  const size_t bytes = World::bytesFor(size), space = bytes + kAlignment;
  // As new pages of the system, which are zeros already; most of them are never touched.
  std::shared_ptr<void> block(std::calloc(1, space), std::free);
  void *at = block.get();
  size_t left = space;
  std::shared_ptr<std::byte> memory(block, static_cast<std::byte *>(std::align(kAlignment, bytes, at, left)));
  const bool maySpin = unsigned(size) <= std::thread::hardware_concurrency();
  std::vector<std::unique_ptr<Communicator>> all;
  all.reserve(size_t(size));
  for (int r = 0; r < size; ++r)
    all.push_back(std::make_unique<LocalCommunicator>(World(memory, size, World::Ranks::Threads, maySpin), r));
  return all;
}

} // namespace autotp
