/// \file What each rank of a host shows of itself to the others in shared memory, and which of them failed first.
#pragma once

#include "runtime/comm/communicator.h"

#include <atomic>

namespace autotp {

/// One rank's entry, which it alone writes.
struct alignas(64) RankEntry {
  std::atomic<int64_t> process;   ///< its number
  std::atomic<int64_t> step;      ///< in which its activity is, from 1; 0: before the first
  std::atomic<uint32_t> activity; ///< an Activity
  std::atomic<uint32_t> waits;    ///< odd while it waits for other ranks
  std::atomic<uint32_t> beats;    ///< counts on as long as the process runs
  std::atomic<uint32_t> hasLeft;  ///< not 0: it has ended in good order, or has said by itself why not
};

/// A view of memory that the ranks share, and that holds zeros at first.
class RankBoard {
public:
  static size_t bytesFor(int size) { return sizeof(Verdict) + size_t(size) * sizeof(RankEntry); }
  /// `memory` outlives it.
  RankBoard(std::byte *memory, int size, int own, std::string host)
      : memory_(memory), size_(size), own_(own), host_(std::move(host)) {}

  int size() const { return size_; }
  int own() const { return own_; }
  RankEntry &entry(int rank) const;
  RankEntry &ownEntry() const { return entry(own_); }

  /// Makes this rank the one that says what failed first. Returns false if a rank is that already.
  bool claim();
  /// The rank that says it; -1 if nothing has failed.
  int sayer() const { return verdict().sayer.load(std::memory_order_acquire) - 1; }

  /// A rank and what it last did: "rank 2 (process 4711 on node7), which computed in step 17".
  std::string describe(int rank) const;

private:
  struct alignas(64) Verdict {
    std::atomic<int32_t> sayer; ///< its rank and 1; 0: nothing has failed
  };
  Verdict &verdict() const { return *reinterpret_cast<Verdict *>(memory_); }

  std::byte *memory_;
  int size_, own_;
  std::string host_;
};

} // namespace autotp
