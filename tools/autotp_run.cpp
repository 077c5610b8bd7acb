// autotp-run: trains a plan. Its options are the rows of runtime/train.
#include "runtime/comm/communicator.h"
#include "runtime/comm/gloo/gloo_communicator.h"
#include "runtime/comm/launch/error_file.h"
#include "runtime/comm/nccl/nccl_communicator.h"
#include "runtime/device/cpu/device.h"
#include "runtime/options/option_values.h"
#include "runtime/train/join_processes.h"
#include "runtime/train/train.h"
#include "runtime/train/train_rows.h"
#include "tools/command_line.h"
#include "tools/option_flags.h"

#include <csignal>
#include <cstdlib>

using namespace llvm;

/// For --version: what the kernels run on here, the first of them by default, and what was built in.
static std::string parts() {
  const std::vector<std::string> sets = autotp::cpuInstructionSets();
  return formatv("cpu kernels: {0}\ncommunicators: local, shm{1}{2}{3}\n",
                 sets.empty() ? "none for this host" : join(sets, ", then "), autotp::hasMpi() ? ", mpi" : "",
                 autotp::hasGloo() ? ", gloo" : "", autotp::hasNccl() ? ", nccl" : "");
}

int main(int argc, char **argv) {
  const autotp::OptionFlags flags(autotp::trainSections());
  if (!autotp::parseCommandLine(
          argc, argv, flags.categories(),
          "Trains a plan that autotp-compile wrote: all ranks as threads of this process, or, under a launcher,\n"
          "each process as one rank: torchrun (`torchrun --no-python ... -- autotp-run PLAN`), mpirun, mpiexec or\n"
          "srun. Those of one host share memory; those that own a GPU each use NCCL. They meet at rank 0's\n"
          "MASTER_ADDR and MASTER_PORT where these are set, as torchrun does; srun's node list and MPI say it\n"
          "otherwise.\n",
          parts()))
    return 2;
  autotp::TrainOptions options;
  if (autotp::exitCode(setFlags(flags.given(), options)) != 0) return 2;
  signal(SIGPIPE, SIG_IGN); // whoever reads the log or the output and leaves is an error that is said
  auto variable = [](const char *name) -> const char * { return getenv(name); };
  auto said = [&](StringRef error) { autotp::writeErrorFile(autotp::errorFileOf(variable), error); };
  Expected<std::unique_ptr<autotp::Communicator>> process = autotp::joinProcesses(options, variable, flags.given());
  if (!process) return autotp::exitCode(process.takeError(), said);
  return autotp::exitCode(autotp::train(options, process->get()), said); // printed before other processes are ended
}
