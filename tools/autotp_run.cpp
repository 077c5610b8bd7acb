// autotp-run: trains a plan.
#include "runtime/comm/launch/launch.h"
#include "runtime/train/train.h"
#include "tools/command_line.h"

#include <cstdlib>

using namespace llvm;

static cl::OptionCategory category("autotp-run options");
static cl::opt<std::string> plan(cl::Positional, cl::desc("PLAN"), cl::Required, cl::cat(category));
static cl::opt<int64_t> steps("steps", cl::desc("optimizer steps to run"), cl::value_desc("N"), cl::init(10),
                              cl::cat(category));
static cl::opt<std::string>
    data("data", cl::desc("synthetic[:seed], a text file (bytes are tokens), or a .bin of uint16 tokens"),
         cl::value_desc("SRC"), cl::init("synthetic:0"), cl::cat(category));
static cl::opt<std::string> feed("feed", cl::desc("arrays by graph input name, samples first; instead of --data"),
                                 cl::value_desc("FILE.npz"), cl::cat(category));
enum class Comm { Auto, Local, Mpi, Nccl };
static cl::opt<Comm> comm("comm", cl::desc("how ranks talk:"), cl::init(Comm::Auto), cl::cat(category),
                          cl::values(clEnumValN(Comm::Auto, "auto",
                                                "mpi under mpirun, mpiexec or srun; nccl where each rank has a GPU; "
                                                "else local"),
                                     clEnumValN(Comm::Local, "local", "all ranks are threads of this process"),
                                     clEnumValN(Comm::Nccl, "nccl", "the same, each with a GPU of its own"),
                                     clEnumValN(Comm::Mpi, "mpi", "this process is one rank; needs a build with MPI")));
static cl::opt<std::string> device("device", cl::desc("cpu or cuda; must be the plan's (default: the plan's)"),
                                   cl::value_desc("cpu|cuda"), cl::cat(category));
static cl::opt<bool> tf32("tf32", cl::desc("on a GPU, products may round their operands to tf32: faster, less exact"),
                          cl::cat(category));
static cl::opt<int> threads("threads", cl::desc("threads of each rank; default: the cores shared out"),
                            cl::value_desc("N"), cl::init(0), cl::cat(category));
static cl::opt<std::string> logFile("log", cl::desc("one JSON object a step"), cl::value_desc("FILE.jsonl"),
                                    cl::cat(category));
static cl::opt<std::string>
    dumpGradients("dump-gradients",
                  cl::desc("write the first step's whole gradients, of the mean loss, before clipping"),
                  cl::value_desc("FILE.safetensors"), cl::cat(category));
static cl::opt<std::string> saveWeights("save-weights", cl::desc("write the whole weights after the last step"),
                                        cl::value_desc("FILE.safetensors"), cl::cat(category));
static cl::opt<double> lr("lr", cl::desc("learning rate, instead of the plan's"), cl::value_desc("X"),
                          cl::cat(category));
static cl::opt<int64_t> seed("seed", cl::desc("seed of initial weights, for a plan without weights"),
                             cl::value_desc("N"), cl::cat(category));
static cl::opt<bool> quiet("quiet", cl::desc("print no line a step"), cl::cat(category));

/// This process's place among processes; null where all ranks run here.
static Expected<std::unique_ptr<autotp::Communicator>> joinProcesses() {
  if (comm == Comm::Local || comm == Comm::Nccl) return nullptr;
  Expected<std::optional<autotp::Launch>> launch = autotp::readLaunch([](const char *name) { return getenv(name); });
  if (!launch) return launch.takeError();
  if (comm == Comm::Auto && !*launch) return nullptr;
  if (*launch && (*launch)->launcher == autotp::Launcher::Torchrun)
    return autotp::problem("torchrun", "it starts no MPI, and no other communicator between processes is there",
                           "start with mpirun or srun, or take --comm local in one process");
  auto process = autotp::makeMpiCommunicator();
  if (process && *launch && (*process)->size() != (*launch)->worldSize) {
    (*process)->abort();
    return autotp::problem(
        autotp::nameOf((*launch)->launcher),
        formatv("it started {0} ranks, but MPI sees {1}", (*launch)->worldSize, (*process)->size()).str(),
        "use the launcher of the MPI that autotp was built with (srun: --mpi=pmix)");
  }
  return process;
}

int main(int argc, char **argv) {
  if (!autotp::parseCommandLine(
          argc, argv, category,
          "Trains a plan that autotp-compile wrote: all ranks as threads of this process, or, under mpirun,\n"
          "mpiexec or srun, each process as one rank.\n"))
    return 2;
  if (steps < 1 || threads < 0) {
    errs() << "error: --steps and --threads take a positive number\n";
    return 2;
  }
  autotp::TrainOptions options{plan, steps, data, feed, threads, logFile, dumpGradients, saveWeights, {}, {}, quiet};
  if (lr.getNumOccurrences()) options.lr = lr;
  if (seed.getNumOccurrences()) options.seed = seed;
  options.device = device;
  options.comm = comm == Comm::Local  ? autotp::ThreadComm::Local
                 : comm == Comm::Nccl ? autotp::ThreadComm::Nccl
                                      : autotp::ThreadComm::Auto;
  options.allowsTf32 = tf32;
  Expected<std::unique_ptr<autotp::Communicator>> process = joinProcesses();
  if (!process) return autotp::exitCode(process.takeError());
  return autotp::exitCode(autotp::train(options, process->get())); // printed before other processes are ended
}
