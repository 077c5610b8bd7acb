/// \file Trains a plan: all ranks as threads of this process, or this process as one of them.
#pragma once

#include "runtime/comm/communicator.h"

#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace autotp {

/// How ranks talk. Auto: where a launcher started this process as one rank, NCCL for a plan for GPUs, else MPI; where
/// all ranks are threads of this process, NCCL where the plan is for GPUs and there is one for each of several ranks,
/// else memory that all of them reach.
enum class CommKind : uint8_t { Auto, Local, Mpi, Nccl };

struct TrainOptions {
  std::string plan;
  int64_t steps = 10;
  std::string data = "synthetic:0", feed; ///< a feed overrules data
  int threads = 0;                        ///< of each rank; 0: the cores shared out
  std::string instructionSet;             ///< of the cpu device's kernels; empty: the best that the host has
  std::string log;                        ///< JSONL
  std::string dumpGradients, saveWeights; ///< safetensors, whole tensors under their ONNX names
  std::optional<double> lr;
  std::optional<int64_t> seed; ///< of initial weights, for plans without
  bool isQuiet = false;
  std::string device; ///< "cpu" or "cuda", which must be the plan's; empty: whatever the plan's is
  CommKind comm = CommKind::Auto;
  bool allowsTf32 = false; ///< on a GPU, products may round their operands
};

/// `process`: this process's end of a world of processes; without, all ranks run here, as threads.
/// Errors end all ranks with one message; files appear whole or not at all.
llvm::Error train(const TrainOptions &options, Communicator *process = nullptr);

} // namespace autotp
