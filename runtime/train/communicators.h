/// \file The ways in which ranks communicate, in order of preference, and which of them a run takes.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/launch/launch.h"
#include "runtime/comm/launch/rank_facts.h"
#include "runtime/plan/manifest.h"

namespace autotp {

/// What the choice of a communicator depends on.
struct CommunicatorRequest {
  llvm::StringRef named;              ///< --comm; empty: the first that serves
  llvm::StringRef plan;               ///< its folder
  const Manifest *manifest = nullptr; ///< null if it cannot be read
  std::optional<Launch> launch = {};  ///< as which rank a launcher started this process, if one did
  Variable variable = noVariable;     ///< the environment
  double rankTimeout = 0;             ///< --rank-timeout, in seconds
  RankFacts facts = {};               ///< what all ranks must have in common

  bool isForGpus() const { return manifest && manifest->device == "cuda"; }
};

/// A row of the table of communicators.
struct CommunicatorRow {
  const char *name, *help;
  /// Why it cannot serve; empty if it can.
  std::string (*whyNot)(const CommunicatorRequest &request);
  /// Makes this process one rank of a world of processes; null if its ranks are always threads of one process.
  llvm::Expected<std::unique_ptr<Communicator>> (*join)(const CommunicatorRequest &request);
  /// Makes a communicator for each of `ranks` threads of this process; null if its ranks are always processes.
  llvm::Expected<std::vector<std::unique_ptr<Communicator>>> (*makeThreads)(int ranks);
};

/// The preferred one first.
llvm::ArrayRef<CommunicatorRow> communicators();
/// Null if there is none of this name.
const CommunicatorRow *communicatorNamed(llvm::StringRef name);
/// "nccl, shm, mpi, gloo, local".
std::string communicatorNames();

/// The first that can serve, or the one that is named. Errors: none can, with the reason of each; the one that is named
/// cannot, or there is none of this name.
llvm::Expected<const CommunicatorRow *> chooseCommunicator(const CommunicatorRequest &request);

} // namespace autotp
