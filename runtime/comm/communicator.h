/// \file How ranks communicate: groups of ranks, and the collectives of a group.
#pragma once

#include "runtime/device/device.h"

#include "llvm/Support/Error.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace autotp {

/// One rank's end of a group, for memory of the rank's device. All members must call the same operations in the same
/// order. The result does not depend on timing, since elements are combined in group order. On a GPU an operation is
/// enqueued in the communication queue. An operation returns false only if a member has failed. Used by the one thread
/// that owns the rank.
class Group {
public:
  virtual ~Group() = default;
  virtual size_t size() const = 0;
  /// Whether an operation may be captured into a GPU's graph, since a replay needs nothing from the host.
  virtual bool isCapturable() const { return false; }
  /// out[i] = the sum or maximum of in[i] over all members. `out` may be `in`.
  virtual bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) = 0;
  /// Member m gets counts[m] elements of the sum of `in` over all members. `out` may be this member's own part of `in`.
  virtual bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) = 0;
  /// `out` gets the parts of all members, side by side in group order. `in` may be this member's own part of `out`.
  virtual bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) = 0;
};

/// What a rank does, for the message of those who miss it.
enum class Activity : uint8_t { Starting, Loading, Training, Evaluating, Saving, Ending };

/// One rank's end of the world.
class Communicator {
public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// `ranks` must contain this one. Every member asks for its groups at load, in the same order. `device` is this
  /// rank's and must outlive the group. Errors: the communicator does not reach the device's memory.
  virtual llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) = 0;
  /// Waits for all ranks; false if one has failed.
  virtual bool barrier() = 0;
  /// The number of ranks on this host, with this one; they share its cores.
  virtual int ranksOnHost() const = 0;
  /// The number of this rank among them, from 0.
  virtual int rankOnHost() const = 0;
  /// Shows the others what this rank does from now on, and in which step (0: before the first). It costs no more than two
  /// stores.
  virtual void note(Activity /*activity*/, int64_t /*step*/) {}
  /// Called once by a rank that cannot go on. If ranks are threads, every wait of every rank returns false from now on.
  /// If they are processes, all of them end when this communicator is destroyed, so that the error can be printed
  /// first.
  virtual void abort() = 0;
  /// Whether a rank has failed, as far as this one knows. A GPU that replays collectives does not report it, so call
  /// this before a replay, and before the results of a step are used. It costs no more than a load.
  virtual bool hasFailed() const { return false; }
  /// One line that says what failed first; empty if nothing did, or nothing is known of it.
  virtual std::string failure() const { return {}; }
  /// Whether the process of a rank is known to have ended.
  virtual bool hasEnded(int /*rank*/) const { return false; }
  /// Whether a rank of another process failed first and prints its error, so that this one need not.
  virtual bool isSaidElsewhere() const { return false; }
};

/// Makes a communicator for each of `size` ranks that are threads of this process. They read each other's memory, on
/// the host or on GPUs that reach each other; all ranks may share one GPU.
std::vector<std::unique_ptr<Communicator>> makeLocalCommunicators(int size);

/// Whether this build has MPI.
bool hasMpi();
/// Makes this process one rank of MPI's world. Call it and use the result on the main thread, once in the life of a
/// process. MPI combines elements in an order of its own, which is the same on every run with as many ranks on the same
/// hosts. `largestCount` is the most elements of one MPI call; a larger collective is done in parts. For the cpu device
/// only. Errors: the build has no MPI; MPI does not start.
llvm::Expected<std::unique_ptr<Communicator>> makeMpiCommunicator(int64_t largestCount = INT32_MAX);

} // namespace autotp
