/// \file The ranks of one NCCL communicator, and what each has issued.
#pragma once

#include "nccl.h"
#include "tests/cuda_emulation/work.h"

#include <map>

namespace emulation {

enum class Operation { AllReduce, ReduceScatter, AllGather, Broadcast, Reduce, Send, Recv };

/// One call of one rank.
struct Request {
  Operation operation;
  const std::byte *send = nullptr;
  std::byte *recv = nullptr;
  size_t count = 0; // elements that the call names
  ncclDataType_t type = ncclFloat32;
  ncclRedOp_t reduction = ncclSum;
  int root = 0; // or the peer
};
bool isPointToPoint(Operation operation);
size_t sentBytes(const Request &request, int ranks);
size_t receivedBytes(const Request &request, int ranks, int rank);

class RankPart;

struct Split {
  std::map<int, std::pair<int, int>> asked;           // rank -> color, key
  std::map<int, std::shared_ptr<struct Clique>> made; // color -> the new communicator
};

struct Clique {
  explicit Clique(int size)
      : devices(size, -1), owners(size), aborted(size, false), issued(size), splitCalls(size, 0) {}
  int size() const { return int(devices.size()); }
  bool complete() const { return joined == size(); }

  std::vector<int> devices;            // -1: not joined
  std::vector<std::thread::id> owners; // the thread that used each rank last
  std::vector<bool> aborted;
  std::vector<std::deque<RankPart *>> issued; // not run; the first is the next to run
  std::vector<int> splitCalls;
  std::map<int, Split> splits; // by the number of the call
  int joined = 0;
  bool sharesDevice = false; // two ranks on one device: all of them are refused
};

/// One rank's calls of one group, which go together.
class RankPart : public Collective {
public:
  RankPart(std::shared_ptr<Clique> clique, int rank, std::vector<Request> requests)
      : clique_(std::move(clique)), rank_(rank), requests_(std::move(requests)) {}
  ~RankPart() override;
  std::shared_ptr<Collective> issue() const override;
  std::vector<Collective *> together(std::string &failure) override;
  void run(const std::vector<Collective *> &parts) override;
  std::vector<std::thread::id> awaited() const override;
  std::string describe() const override;

  int rank() const { return rank_; }
  const std::vector<Request> &requests() const { return requests_; }

private:
  /// The ranks that take part, by what the parts name; false where one has issued nothing, or has it not at its head.
  bool members(std::map<int, RankPart *> &parts, std::vector<int> *absent) const;

  std::shared_ptr<Clique> clique_;
  int rank_;
  std::vector<Request> requests_;
};

/// What is wrong between parts that meet: other kinds, counts, types, roots, or buffers that overlap.
std::string mismatch(const std::map<int, RankPart *> &parts, int ranks);
std::string textOf(const Request &request);

} // namespace emulation
