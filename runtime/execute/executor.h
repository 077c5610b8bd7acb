/// \file Runs the sections of one rank's program. All is decided at load; a step only goes.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/device/device.h"
#include "runtime/plan/held_elements.h"

#include <map>
#include <optional>

namespace autotp {

/// Owned by one rank and used by its one thread.
class Executor {
public:
  /// Allocates the arena, zeroes all of it that outlives a step, writes constants, prepares every kernel and joins
  /// every group. `program` was checked; it and `comm` must outlive the executor. Errors name the step that the device
  /// or communicator cannot do.
  static llvm::Expected<std::unique_ptr<Executor>> create(const plan::Program &program, int64_t tp, int64_t dp,
                                                          Communicator &comm, std::unique_ptr<Device> device);

  /// Runs a section: the host's kernels are done then, those of a GPU enqueued. Allocates nothing. Errors name the step
  /// that failed.
  llvm::Error run(llvm::StringRef section);
  bool has(llvm::StringRef section) const { return sections_.find(section) != sections_.end(); }
  /// Runs a section step by step, together with the other ranks: the first of its steps here with a result that is not
  /// finite, -1 where all are. For diagnosis: results are copied to the host.
  llvm::Expected<int> firstNonFinite(llvm::StringRef section);
  /// On a GPU, makes one graph of each section whose collectives allow it, for run() to replay: one launch instead of
  /// hundreds. Every section must have run before, on all ranks. On the host it does nothing.
  llvm::Error captureSections();
  /// Ends those graphs, which must go before any group of this rank does.
  void releaseGraphs();
  /// Waits for the device. Errors name the first step that failed since the last call.
  llvm::Error synchronise();
  /// Sets the accumulators to 0, before the first micro-step of a step.
  void zeroAccumulators();

  /// Where the tensor lies on the device: the host may read and write there only where the device is the host.
  std::span<std::byte> bytes(const plan::TensorRef &tensor) const;
  /// All of a tensor from host memory, which may be reused at once, and to it, after what was run.
  void upload(const plan::TensorRef &tensor, const void *from);
  void download(const plan::TensorRef &tensor, void *to) const;
  /// Sums `values` over all members of `group` into the first one's; what the others' hold then is not said.
  llvm::Error sumIntoFirst(Group &group, std::vector<float> &values);
  float scalar(llvm::StringRef output) const;
  const plan::Input *input(llvm::StringRef name) const;
  /// Does nothing where no step needs the input.
  void setScalar(llvm::StringRef input, float value);
  const plan::Program &program() const { return program_; }
  size_t arenaBytes() const { return arena_.size(); } ///< as allocated
  int64_t tpRank() const { return tpRank_; }
  int64_t dpRank() const { return dpRank_; }
  MeshPlace place() const { return {tp_, dp_, tpRank_, dpRank_}; }
  Device &device() { return *device_; }

private:
  /// A kernel, or a call of a group.
  struct Step {
    std::unique_ptr<PreparedKernel> kernel;
    Group *group = nullptr;
    const plan::Collective *collective = nullptr;
    std::vector<int64_t> counts;
    const void *in = nullptr;
    void *out = nullptr;
    int64_t elements = 0;
    std::vector<EventId> waits;
    std::optional<EventId> signals;
    const plan::Step *source = nullptr;

    Stream stream() const { return kernel ? Stream::Compute : Stream::Communication; }
  };

  struct Section {
    std::vector<Step> steps;
    std::unique_ptr<PreparedKernel> graph; ///< of all steps, once they are captured
  };

  Executor(const plan::Program &program, const Communicator &comm) : program_(program), comm_(comm) {}
  llvm::Error makeEvents();
  llvm::Error prepare(const plan::Step &step, std::vector<Step> &steps);
  llvm::Error prepareCollective(const plan::Step &step, Step &prepared);
  TensorArg argument(const plan::TensorRef &tensor) const;
  void zeroWhatOutlivesAStep();
  void initialise(const plan::State &state);
  /// Step by step; null where all went well, else the step that failed, and how.
  const Step *enqueue(const Section &section, Status &status);
  static bool communicate(const Step &step);
  llvm::Error anotherFailed(llvm::StringRef where) const;
  bool isFinite(const plan::TensorRef &tensor) const;
  llvm::Error describe(const plan::Step &step, Status status) const;

  const plan::Program &program_;
  const Communicator &comm_;
  int64_t tp_ = 1, dp_ = 1, tpRank_ = 0, dpRank_ = 0;
  std::unique_ptr<Device> device_;
  std::span<std::byte> arena_, staging_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::map<std::string, Section, std::less<>> sections_;
  std::vector<EventId> events_;                 ///< of the plan
  EventId begun_ = 0, communicated_ = 0;        ///< at both ends of a section
  std::vector<const plan::Step *> kernelSteps_; ///< in the order in which the device prepared them
};

/// Fills the parameters, and their master weights where they are bf16 or f16: from a file of this tp coordinate's
/// slices, which has this digest, or from a seed where there is none. Values from a seed depend on the parameter and
/// the global element alone, so they are the same whatever the mesh.
llvm::Error loadWeights(Executor &executor, llvm::StringRef safetensors, llvm::StringRef sha256);
void initialiseWeights(Executor &executor, int64_t seed);

} // namespace autotp
