/// \file Runs the sections of one rank's program. Everything is decided at load, so that a step only executes.
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
  /// Allocates the arena, which begins as zeros, writes constants, prepares every kernel and joins every group. `program`
  /// must have been checked; it and `comm` must outlive the executor. Errors name the step that the device or
  /// communicator cannot run.
  static llvm::Expected<std::unique_ptr<Executor>> create(const plan::Program &program, int64_t tp, int64_t dp,
                                                          Communicator &comm, std::unique_ptr<Device> device);

  /// Runs a section. When it returns, the host's kernels are done, while those of a GPU are enqueued. It allocates
  /// nothing. Errors name the step that failed.
  llvm::Error run(llvm::StringRef section);
  bool has(llvm::StringRef section) const { return sections_.find(section) != sections_.end(); }
  /// Runs a section step by step, together with the other ranks. Returns the index of this rank's first step with a
  /// result that is not finite, or -1. It serves diagnosis, since it copies all results to the host.
  llvm::Expected<int> firstNonFinite(llvm::StringRef section);
  /// On a GPU, captures each section that has run, and whose collectives allow it, as a graph that run() replays: one
  /// launch instead of hundreds, unless it has been captured. All ranks must have run the same sections. On the host
  /// it does nothing.
  llvm::Error captureSections();
  /// Destroys those graphs, which must happen before any group of this rank is destroyed.
  void releaseGraphs();
  /// Waits for the device. Errors name the first step that failed since the last call.
  llvm::Error synchronise();
  /// Sets the accumulators to 0; called before the first micro-step of a step.
  void zeroAccumulators();

  /// The bytes of a tensor on the device. The host may access them only if the device is the host.
  std::span<std::byte> bytes(const plan::TensorRef &tensor) const;
  /// Copies a whole tensor from host memory, which may be reused at once, or to it, after all that was run before.
  void upload(const plan::TensorRef &tensor, const void *from);
  void download(const plan::TensorRef &tensor, void *to) const;
  /// Sums `values` over all members of `group`; only the first member's `values` hold the sum afterwards.
  llvm::Error sumIntoFirst(Group &group, std::vector<float> &values);
  /// The same, after which all members have the sum.
  llvm::Error sumIntoAll(Group &group, std::vector<float> &values);
  /// The value of an f32 scalar output, after all that was run; 0 if the program has no such output.
  float scalar(llvm::StringRef output) const;
  /// The input of this name, or null.
  const plan::Input *input(llvm::StringRef name) const;
  /// Does nothing if no step reads the input.
  void setScalar(llvm::StringRef input, float value);
  const plan::Program &program() const { return program_; }
  size_t arenaBytes() const { return arena_.size(); } ///< as allocated
  int64_t tpRank() const { return tpRank_; }
  int64_t dpRank() const { return dpRank_; }
  MeshPlace place() const { return {tp_, dp_, tpRank_, dpRank_}; }
  Device &device() { return *device_; }
  /// Whether the device is the host. Several threads may then upload at once.
  bool isOnHost() const { return !device_->nativeStream(Stream::Compute); }

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
    const plan::Instruction *source = nullptr;

    Stream stream() const { return kernel ? Stream::Compute : Stream::Communication; }
  };

  struct Section {
    std::vector<Step> steps;
    bool hasRun = false;
    std::unique_ptr<PreparedKernel> graph; ///< replays all steps, after captureSections()
  };

  Executor(const plan::Program &program, const Communicator &comm) : program_(program), comm_(comm) {}
  llvm::Error makeEvents();
  /// Calls `sum` with values in memory that the group reaches, and has their new values in `values`.
  llvm::Error overGroup(std::vector<float> &values, llvm::function_ref<bool(void *data)> sum);
  llvm::Error prepare(const plan::Instruction &step, std::vector<Step> &steps);
  llvm::Error prepareCollective(const plan::Instruction &step, Step &prepared);
  /// Fills a tensor with these bytes, as often as they fit.
  void initialise(const plan::TensorRef &tensor, llvm::StringRef repeated);
  /// Runs the steps one by one. Returns null if all succeed, else the step that failed, with its `status`.
  const Step *enqueue(const Section &section, Status &status);
  static bool communicate(const Step &step);
  llvm::Error anotherFailed(llvm::StringRef where) const;
  bool isFinite(const plan::TensorRef &tensor) const;
  llvm::Error describe(const plan::Instruction &step, Status status) const;

  const plan::Program &program_;
  const Communicator &comm_;
  int64_t tp_ = 1, dp_ = 1, tpRank_ = 0, dpRank_ = 0;
  std::unique_ptr<Device> device_;
  std::span<std::byte> arena_, staging_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::map<std::string, Section, std::less<>> sections_;
  std::vector<EventId> events_;                        ///< those of the plan
  EventId begun_ = 0, communicated_ = 0;               ///< at the begin and the end of a section
  std::vector<const plan::Instruction *> kernelSteps_; ///< in the order in which the device prepared them
};

/// Fills the parameters, and their master weights if they are bf16 or f16. loadWeights reads the file of this tp rank's
/// shards, which must have this digest; none says that another rank of this process checks it. initialiseWeights draws
/// values from a seed; they depend on the parameter and the global index of the element only, so they are the same on
/// any mesh.
llvm::Error loadWeights(Executor &executor, llvm::StringRef safetensors, std::optional<llvm::StringRef> digest);
void initialiseWeights(Executor &executor, int64_t seed);
/// Reads so many of the elements that a rank holds of a parameter, in f32, from the `begin`-th on.
using HeldReader = llvm::function_ref<llvm::Error(int64_t begin, llvm::MutableArrayRef<float> to)>;
/// Fills a parameter, and its master weight if there is one, or just what the rank has of it in one of the tensors of its
/// bucket. What lies on other ranks is not read. Errors are those of `read`.
llvm::Error fillParameter(Executor &executor, const plan::Parameter &parameter, HeldReader read);
llvm::Error fillPart(Executor &executor, const plan::Parameter &parameter, const plan::TensorRef &flat,
                     HeldReader read);
/// Writes a whole tensor of f32, bf16 or f16, to the nearest values of its dtype.
void uploadFloats(Executor &executor, const plan::TensorRef &tensor, llvm::ArrayRef<float> values);

} // namespace autotp
