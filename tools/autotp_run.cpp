// autotp-run: trains a plan.
#include "runtime/device/cpu/device.h"
#include "runtime/train/communicators.h"
#include "runtime/train/join_processes.h"
#include "tools/command_line.h"

#include <cmath>
#include <csignal>
#include <cstdlib>

using namespace llvm;
using autotp::problem;

static cl::OptionCategory category("autotp-run options");
static cl::opt<std::string> plan(cl::Positional, cl::desc("PLAN"), cl::Required, cl::cat(category));
static cl::opt<int64_t> steps("steps", cl::desc("optimizer steps to run"), cl::value_desc("N"), cl::init(10),
                              cl::cat(category));
static cl::opt<std::string>
    data("data", cl::desc("synthetic[:seed], a text file (bytes are tokens), or a .bin of uint16 tokens"),
         cl::value_desc("SRC"), cl::init("synthetic:0"), cl::cat(category));
static cl::opt<std::string> feed("feed", cl::desc("arrays by graph input name, samples first; instead of --data"),
                                 cl::value_desc("FILE.npz"), cl::cat(category));
static const std::string commHelp = [] {
  std::string text = "how ranks communicate (default: the first of these that serves):";
  for (const autotp::CommunicatorRow &row : autotp::communicators())
    text += formatv("\n{0}: {1}", row.name, row.help).str();
  return text;
}();
static cl::opt<std::string> comm("comm", cl::desc(commHelp), cl::value_desc("NAME"), cl::cat(category));
static cl::opt<std::string> device("device", cl::desc("cpu or cuda; must be the plan's (default: the plan's)"),
                                   cl::value_desc("cpu|cuda"), cl::cat(category));
static cl::opt<bool> tf32("tf32", cl::desc("on a GPU, products may round their operands to tf32: faster, less exact"),
                          cl::cat(category));
static cl::opt<int> threads("threads", cl::desc("threads of each rank; default: the cores shared out"),
                            cl::value_desc("N"), cl::init(0), cl::cat(category));
static cl::opt<std::string> instructionSet(
    "instruction-set",
    cl::desc("of the cpu device's kernels, as --version lists them; default: the best that the host has"),
    cl::value_desc("NAME"), cl::cat(category));
static cl::opt<std::string> logFile(
    "log",
    cl::desc("one JSON object a step: a new file, in place of one of that name, or a FIFO, /dev/stdout, /dev/fd/N"),
    cl::value_desc("FILE.jsonl"), cl::cat(category));
static cl::opt<std::string>
    dumpGradients("dump-gradients",
                  cl::desc("write the first step's whole gradients, of the mean loss, before clipping; a file of that "
                           "name is replaced"),
                  cl::value_desc("FILE.safetensors"), cl::cat(category));
static cl::opt<std::string> saveWeights("save-weights",
                                        cl::desc("write the whole weights after the last step; a file of that name "
                                                 "is replaced"),
                                        cl::value_desc("FILE.safetensors"), cl::cat(category));
static cl::opt<double> lr("lr", cl::desc("learning rate, instead of the plan's"), cl::value_desc("X"),
                          cl::cat(category));
static cl::opt<int64_t> seed("seed", cl::desc("seed of dropout, and of initial weights for a plan without"),
                             cl::value_desc("N"), cl::cat(category));
static cl::opt<bool> quiet("quiet", cl::desc("print no line a step"), cl::cat(category));

static Error checkFlags() {
  if (steps < 1 || threads < 0) return problem("command line", "--steps and --threads take a positive number");
  if (seed < 0) return problem("--seed", "it takes a number from 0 on");
  if (!comm.empty() && comm != "auto" && !autotp::communicatorNamed(comm))
    return problem("--comm",
                   "'" + autotp::escaped(comm) + "' is neither auto nor one of " + autotp::communicatorNames());
  if (!std::isfinite(lr) || lr < 0) return problem("--lr", formatv("{0} is negative, infinite or no number", lr).str());
  return Error::success();
}

/// For --version: what the kernels run on here, the first of them by default.
static std::string parts() {
  const std::vector<std::string> sets = autotp::cpuInstructionSets();
  return formatv("cpu kernels: {0}\n", sets.empty() ? "none for this host" : join(sets, ", then "));
}

int main(int argc, char **argv) {
  if (!autotp::parseCommandLine(
          argc, argv, &category,
          "Trains a plan that autotp-compile wrote: all ranks as threads of this process, or, under a launcher,\n"
          "each process as one rank: mpirun, mpiexec or srun; and torchrun for a plan for GPUs, with\n"
          "`torchrun --no-python ... autotp-run PLAN`. Ranks with a GPU each meet at rank 0's MASTER_ADDR and\n"
          "MASTER_PORT where these are set, as torchrun does; srun's node list and MPI say it otherwise.\n",
          parts()))
    return 2;
  if (Error error = checkFlags()) {
    (void)autotp::exitCode(std::move(error));
    return 2;
  }
  autotp::TrainOptions options;
  options.plan = plan;
  options.steps = steps;
  options.data = data;
  options.feed = feed;
  options.threads = threads;
  options.instructionSet = instructionSet;
  options.log = logFile;
  options.dumpGradients = dumpGradients;
  options.saveWeights = saveWeights;
  options.isQuiet = quiet;
  if (lr.getNumOccurrences()) options.lr = lr;
  if (seed.getNumOccurrences()) options.seed = seed;
  options.device = device;
  options.comm = comm == "auto" ? std::string() : comm.getValue();
  options.allowsTf32 = tf32;
  signal(SIGPIPE, SIG_IGN); // whoever reads the log or the output and leaves is an error that is said
  Expected<std::unique_ptr<autotp::Communicator>> process =
      autotp::joinProcesses(options, [](const char *name) { return getenv(name); });
  if (!process) return autotp::exitCode(process.takeError());
  return autotp::exitCode(autotp::train(options, process->get())); // printed before other processes are ended
}
