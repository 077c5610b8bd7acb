/// \file Processes that each own a GPU meet, and become ranks of one world over NCCL.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/launch/launch.h"
#include "runtime/plan/manifest.h"

namespace autotp {

/// All processes that the launcher started meet, each with its GPUs. `plan` names the plan in messages. Errors: a plan for
/// another number of ranks; two ranks on one GPU, which NCCL refuses; a rank without a GPU; and those of meet(). An error
/// that all ranks find is printed by one of them; the others return SaidElsewhere.
llvm::Expected<std::unique_ptr<Communicator>> joinOverNccl(llvm::StringRef plan, const Manifest &manifest,
                                                           const Launch &launch, Variable variable);

} // namespace autotp
