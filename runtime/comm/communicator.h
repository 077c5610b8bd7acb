/// \file How ranks talk: groups of ranks, and the collectives of a group.
#pragma once

#include "runtime/device/device.h"

#include "llvm/Support/Error.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace autotp {

/// One rank's end of a group, over memory of the rank's device. All members call the same operations in the same order;
/// the result does not depend on timing: elements are combined in group order. On a GPU an operation is enqueued in the
/// communication queue. Operations fail only where a member has failed; `false` then. Used by the one thread that owns
/// the rank.
class Group {
public:
  virtual ~Group() = default;
  virtual size_t size() const = 0;
  /// Whether an operation may be captured into a GPU's graph: it needs nothing of the host when it is replayed.
  virtual bool isCapturable() const { return false; }
  /// out[i] = combined in[i] of all members; `out` may be `in`.
  virtual bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) = 0;
  /// counts[m] elements of the combined `in` for member m; `out` may be this member's own part of `in`.
  virtual bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) = 0;
  /// `out` is the members' parts side by side, in group order; `in` may be this member's own part of `out`.
  virtual bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) = 0;
};

/// One rank's end of the world.
class Communicator {
public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// `ranks` holds this one; every member asks for its groups at load, in the same order. `device` is this rank's and
  /// outlives the group. Errors: a device whose memory this communicator does not reach.
  virtual llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) = 0;
  virtual bool barrier() = 0;
  /// Ranks on this host, this one among them: they share its cores.
  virtual int ranksOnHost() const = 0;
  /// Of this one among them, from 0.
  virtual int rankOnHost() const = 0;
  /// Called once by a rank that cannot go on. Ranks as threads: every wait of every rank fails now. Ranks as processes:
  /// all of them end when this communicator is destroyed, so that the error can be printed first.
  virtual void abort() = 0;
  /// Whether a rank has failed, as far as this one knows. A GPU that replays collectives says nothing of it, so it is
  /// asked before a replay, and before the results of a step are used. Costs no more than a load.
  virtual bool hasFailed() const { return false; }
  /// One line: what failed first; empty where nothing did or nothing is known of it.
  virtual std::string failure() const { return {}; }
  /// Whether that was a rank of another process, which prints it: this one need not.
  virtual bool isSaidElsewhere() const { return false; }
};

/// Ranks as threads of this process, which read each other's memory, on the host or on GPUs that reach each other (one
/// GPU for all ranks too): one communicator for each of `size` ranks.
std::vector<std::unique_ptr<Communicator>> makeLocalCommunicators(int size);

/// This process as one rank of MPI's world; call it and use what it gives on the main thread, once in a process's life.
/// The order in which MPI combines elements is its own, and the same on every run with as many ranks on the same hosts.
/// `largestCount`: elements that one MPI call may take; above, a collective is done in parts.
/// For the cpu device. Errors: a build without MPI; MPI that does not start.
llvm::Expected<std::unique_ptr<Communicator>> makeMpiCommunicator(int64_t largestCount = INT32_MAX);

} // namespace autotp
